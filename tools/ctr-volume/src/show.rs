//! `ls` and `inspect`: what the records say, in docker's shapes.

use crate::filter::Filters;
use clap::Args;
use ctr_core::{Code, Result, Value, each, json, print_line};
use ctr_vol::Volume;
use std::process;

/// The arguments of `ls`.
#[derive(Args, Debug)]
pub struct Ls {
    /// Only these: name=, driver=, label=, dangling=
    #[arg(short = 'f', long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
}

impl Ls {
    /// Prints a line each.
    pub fn run(&self) -> Result<()> {
        let filters = Filters::parse(&self.filter, &["name", "driver", "label", "dangling"])?;
        for volume in ctr_vol::all()? {
            if filters.match_all(&volume)? {
                print_line(&line(&volume)?)?;
            }
        }
        Ok(())
    }
}

fn line(volume: &Volume) -> Result<Value> {
    let labels: Vec<_> = volume.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    Ok(json!({
        "Driver": "local", "Name": volume.name, "Scope": "local", "Mountpoint": ctr_vol::data(&volume.name),
        "Labels": labels.join(","), "Links": ctr_vol::users(&volume.name)?.len().to_string(), "CreatedAt": volume.created,
    }))
}

/// The arguments of `inspect`.
#[derive(Args, Debug)]
pub struct Inspect {
    /// Names
    #[arg(value_name = "VOLUME", required = true)]
    volumes: Vec<String>,
    /// Say nothing of a volume that is not there; the status tells
    #[arg(long)]
    if_any: bool,
}

impl Inspect {
    /// Prints a line each.
    pub fn run(&self) -> Result<()> {
        let mut absent = false;
        let shown = each(&self.volumes, |name| {
            let volume = match ctr_vol::load(name) {
                // What can be no name is none.
                Err(e) if self.if_any && matches!(e.code, Code::NotFound | Code::Invalid) => {
                    absent = true;
                    return Ok(());
                }
                volume => volume?,
            };
            let mut shape = volume.shape();
            shape["UsedBy"] = json!(ctr_vol::users(name)?);
            print_line(&shape)
        });
        if absent && shown.is_ok() {
            // Nothing is said, so there is no error to give.
            process::exit(1);
        }
        shown
    }
}
