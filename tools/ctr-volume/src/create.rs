//! `create`: a directory with a record.

use clap::Args;
use ctr_core::{Code, Error, Lock, Result, print_line};
use ctr_vol::Volume;
use std::collections::BTreeMap;

/// The arguments of `create`.
#[derive(Args, Debug)]
pub struct Create {
    /// The name [default: one is made up]
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// How it is made: local
    #[arg(short = 'd', long, value_name = "DRIVER", default_value = "local")]
    driver: String,
    /// type=TYPE, device=DEVICE and o=OPTIONS: what is mounted as its files; size=SIZE: how much it may hold
    #[arg(short = 'o', long = "opt", value_name = "KEY=VALUE")]
    options: Vec<String>,
    /// Give it a label
    #[arg(long = "label", value_name = "KEY=VALUE")]
    labels: Vec<String>,
}

impl Create {
    /// Makes it and prints its name.
    pub fn run(self) -> Result<()> {
        if self.driver != "local" {
            let message = format!("cannot make a volume: no driver {:?}", self.driver);
            return Err(Error::new(Code::Unsupported, message).hint("the driver is local"));
        }
        let volume = volume(self.name.as_deref(), &self.options, &self.labels)?;
        let lock = Lock::store()?;
        ctr_vol::create(&volume, true, Some(&lock))?;
        print_line(&volume.name)
    }
}

/// One with these words; without a name it is anonymous.
pub fn volume(name: Option<&str>, options: &[String], labels: &[String]) -> Result<Volume> {
    let pairs = |words: &[String], what: &str, bare: bool| {
        let pair = |word: &String| match word.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
            None if bare && !word.is_empty() => Ok((word.clone(), String::new())),
            _ => Err(Error::new(Code::Usage, format!("{what} {word:?} is not KEY=VALUE"))),
        };
        words.iter().map(pair).collect::<Result<BTreeMap<_, _>>>()
    };
    let made_up = ctr_vol::new_name();
    Ok(Volume {
        options: pairs(options, "option", false)?,
        labels: pairs(labels, "label", true)?,
        anonymous: name.is_none(),
        ..Volume::new(name.unwrap_or(&made_up))
    })
}
