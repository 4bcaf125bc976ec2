//! `ls` and `inspect`: what the records say, in docker's shapes.

use crate::filter::Filters;
use clap::Args;
use ctr_core::{Absent, Code, Result, Value, each, json, print_line};
use ctr_vol::Volume;

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
        // What can be no name is none.
        let mut absent = Absent::new(self.if_any, &[Code::NotFound, Code::Invalid]);
        let shown = each(&self.volumes, |name| {
            let Some(volume) = absent.pass(ctr_vol::load(name))? else { return Ok(()) };
            let mut shape = volume.shape();
            shape["UsedBy"] = json!(ctr_vol::users(name)?);
            print_line(&shape)
        });
        absent.end(shown)
    }
}
