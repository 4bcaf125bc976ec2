//! docker's state of a container.

use ctr_core::{Document, Result, State};

/// Where a container is in its life.
#[derive(Clone, Debug)]
pub struct Status {
    /// `created`, `running`, `paused`, `restarting` or `exited`.
    pub word: &'static str,
    /// How its last process ended; `None` where none has.
    pub exit_code: Option<u8>,
    /// The section `state`, empty where the document has none.
    pub state: State,
}

impl Status {
    /// The state in a document of `container::load`, which the kernel was asked about.
    ///
    /// # Errors
    /// `invalid` where the section has not its form.
    pub fn of(doc: &Document) -> Result<Self> {
        let state: State = doc.section("state")?.unwrap_or_default();
        // As in docker, a container whose process could not be started is created still, with the status that says why.
        let never_ran = state.exit_code.is_some() && state.started_at.is_none() && state.finished_at.is_none();
        let word = match state.status.as_str() {
            "running" => "running",
            "paused" => "paused",
            "restarting" => "restarting",
            "stopped" if !never_ran => "exited",
            _ => "created",
        };
        // Its end was seen by nobody: the supervisor was killed, or the machine crashed.
        let unseen = (word == "exited").then_some(255);
        Ok(Self { word, exit_code: state.exit_code.or(unseen), state })
    }

    /// Whether it has a process, or will have one again without anybody's doing: what docker calls running.
    pub fn lives(&self) -> bool {
        matches!(self.word, "running" | "paused" | "restarting")
    }

    /// The result of its health check, `none` where there is none.
    pub fn health(&self) -> &str {
        self.state.health.as_ref().map_or("none", |health| health.status.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ctr_core::{Value, json};

    fn status(state: Value) -> (&'static str, Option<u8>) {
        let mut doc = Document::default();
        if !state.is_null() {
            doc.set("state", &state).unwrap();
        }
        let status = Status::of(&doc).unwrap();
        (status.word, status.exit_code)
    }

    #[test]
    fn states_have_dockers_words() {
        let started = "2026-11-25T10:00:00Z";
        assert_eq!(status(Value::Null), ("created", None));
        assert_eq!(status(json!({"status": "created"})), ("created", None));
        assert_eq!(status(json!({"status": "running", "startedAt": started})), ("running", None));
        assert_eq!(status(json!({"status": "paused", "startedAt": started})), ("paused", None));
        assert_eq!(status(json!({"status": "restarting", "exitCode": 1})), ("restarting", Some(1)));
        assert_eq!(status(json!({"status": "stopped", "startedAt": started, "exitCode": 0})), ("exited", Some(0)));
        // Nobody saw the end.
        assert_eq!(status(json!({"status": "stopped", "startedAt": started})), ("exited", Some(255)));
        // It never began.
        assert_eq!(status(json!({"status": "stopped", "exitCode": 127})), ("created", Some(127)));
    }
}
