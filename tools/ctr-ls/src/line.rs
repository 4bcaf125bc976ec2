//! One container as a line: raw values under docker's names, which ctr-fmt puts into docker's words.

use crate::{Images, Listed};
use ctr_core::{Error, Image, Value, ident, json};
use ctr_docker::{Sizes, attachments, mounts, ports};

/// The line; with sizes where they are asked for.
pub(crate) fn line(container: &Listed, images: &Images, sizes: Option<&mut Sizes>) -> Value {
    let Listed { doc, status, .. } = container;
    let image = container.image.as_ref();
    let process = doc.get("spec").and_then(|spec| spec.get("process"));
    // What stopped has no ports, whatever it had.
    let ports = if status.lives() { ports(doc) } else { Vec::new() };
    let mut line = json!({
        "ID": container.id,
        "Names": doc.str("name"),
        "Image": image.map(|image| images.name_of(image)),
        "ImageID": image.and_then(|image| image.id.as_deref()),
        "Command": process.and_then(|process| process.get("args")).filter(|args| args.is_array()),
        "CreatedAt": doc.str("created"),
        "State": status.word,
        "ExitCode": status.exit_code,
        "StartedAt": status.state.started_at,
        "FinishedAt": status.state.finished_at,
        "Health": status.state.health.as_ref().map(|health| &health.status),
        "RestartCount": status.state.restart_count.unwrap_or_default(),
        "Ports": ports.iter().map(ctr_docker::Port::shape).collect::<Vec<_>>(),
        "Networks": attachments(doc).into_iter().map(|a| a.network).collect::<Vec<_>>(),
        "Mounts": mounts(doc).iter().map(ctr_docker::Mount::shape).collect::<Vec<_>>(),
        "Labels": container.labels,
        "Platform": image.map(platform),
    });
    if let Some(sizes) = sizes {
        match sizes.of(doc) {
            Ok((writable, all)) => {
                line["SizeRw"] = json!(writable);
                line["SizeRootFs"] = json!(all);
            }
            Err(e) => {
                let message = format!("container {}: {}", ident::short(&container.id), e.message);
                Error { message, ..e }.tell();
            }
        }
    }
    line
}

fn platform(image: &Image) -> String {
    let text = |key: &str| image.config.get(key).and_then(Value::as_str).unwrap_or_default();
    let words = [text("os"), text("architecture"), text("variant")];
    words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join("/")
}
