//! Records from stdin: JSON values in a row, each list flattened by one level.

use ctr_core::{Code, Error, Result, Value};
use serde_json::{Deserializer, StreamDeserializer, de::IoRead};
use std::{
    collections::VecDeque,
    io::{BufReader, Read},
};

/// The records of a stream.
///
/// No record is what tells that a stage before failed: a document with an error (`ctr-document(5)`, rule 5), and from
/// tools beside the pipe a bare number, as in `{ img-ls || echo $?; } | ctr-fmt`. That status is kept.
pub struct Records<R: Read> {
    values: StreamDeserializer<'static, IoRead<BufReader<R>>, Value>,
    list: VecDeque<Value>,
    /// The exit status that a stage before asks for.
    pub failed: Option<u8>,
}

impl<R: Read> Records<R> {
    /// Reads `source` record by record.
    pub fn new(source: R) -> Self {
        let values = Deserializer::from_reader(BufReader::new(source)).into_iter();
        Self { values, list: VecDeque::new(), failed: None }
    }

    /// Whether the value is a record: interim documents and errors are not.
    fn is_record(&mut self, value: &Value) -> bool {
        if let Value::Number(status) = value {
            self.fail(status.as_u64());
            return false;
        }
        if value.get("ctr").and_then(Value::as_u64).is_none() {
            return true;
        }
        if let Some(error) = value.get("error").filter(|e| !e.is_null()) {
            self.fail(error.get("exit").and_then(Value::as_u64));
            return false;
        }
        value.get("partial") != Some(&Value::Bool(true))
    }

    fn fail(&mut self, status: Option<u64>) {
        let status = status.and_then(|s| u8::try_from(s).ok()).filter(|s| *s != 0);
        self.failed = Some(status.unwrap_or(1));
    }
}

impl<R: Read> Iterator for Records<R> {
    type Item = Result<Value>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(value) = self.list.pop_front() {
                return Some(Ok(value));
            }
            match self.values.next()? {
                Ok(Value::Array(list)) => self.list.extend(list),
                Ok(value) if self.is_record(&value) => return Some(Ok(value)),
                Ok(_) => {}
                Err(e) => {
                    let code = if e.is_io() { Code::Io } else { Code::Invalid };
                    return Some(Err(Error::new(code, format!("stdin is not JSON: {e}"))));
                }
            }
        }
    }
}
