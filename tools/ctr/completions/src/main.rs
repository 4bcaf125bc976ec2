//! Writes the completions of every tool and of the wrapper for bash, zsh and fish: `ctr-completions SHARE CTR`.
//!
//! A tool of the build, so that no tool that runs has to carry the generators. Each command line is the one that the
//! tool itself parses by.

use clap::{Args, Command};
use clap_complete::{Shell, generate};
use ctr_core::{Cannot, Result, command, plain, plain_command};
use std::{fs, path::PathBuf, process::ExitCode};

/// The arguments.
#[derive(Args, Debug)]
struct Completions {
    /// The directory that shells look beneath: PREFIX/share
    #[arg(value_name = "SHARE")]
    share: PathBuf,
    /// The name under which the wrapper is installed
    #[arg(value_name = "CTR", default_value = "ctr")]
    wrapper: String,
}

fn main() -> ExitCode {
    plain("ctr-completions", "Write shell completions", run)
}

fn run(args: Completions) -> Result<()> {
    for mut command in commands() {
        let name = if command.get_name() == "ctr" { args.wrapper.clone() } else { command.get_name().to_owned() };
        for (shell, dir, file) in [
            (Shell::Bash, "bash-completion/completions", name.clone()),
            (Shell::Zsh, "zsh/site-functions", format!("_{name}")),
            (Shell::Fish, "fish/vendor_completions.d", format!("{name}.fish")),
        ] {
            let dir = args.share.join(dir);
            fs::create_dir_all(&dir).cannot(|| format!("make directory {}", dir.display()))?;
            let mut text = Vec::new();
            generate(shell, &mut command, &name, &mut text);
            let path = dir.join(file);
            fs::write(&path, text).cannot(|| format!("write {}", path.display()))?;
        }
    }
    Ok(())
}

/// Every command line that is installed.
fn commands() -> Vec<Command> {
    vec![
        ctr_plan::command(),
        ctr_plan::tool_command(),
        command::<cg_limit::CgLimit>(),
        command::<ctr_commit::CtrCommit>(),
        command::<img_import::ImgImport>(),
        command::<img_load::ImgLoad>(),
        command::<img_pull::Args>(),
        command::<img_squash::ImgSquash>(),
        command::<img_unpack::Args>(),
        command::<net_attach::NetAttach>(),
        command::<ns_spawn::NsSpawn>(),
        command::<overlay_mount::OverlayMount>(),
        command::<vol_mount::VolMount>(),
        plain_command::<cg_stat::CgStat>(cg_stat::NAME, cg_stat::ABOUT),
        plain_command::<ctr_attach::CtrAttach>(ctr_attach::NAME, ctr_attach::ABOUT),
        plain_command::<ctr_cp::CtrCp>(ctr_cp::NAME, ctr_cp::ABOUT),
        plain_command::<ctr_df::CtrDf>(ctr_df::NAME, ctr_df::ABOUT),
        plain_command::<ctr_diff::CtrDiff>(ctr_diff::NAME, ctr_diff::ABOUT),
        plain_command::<ctr_events::CtrEvents>(ctr_events::NAME, ctr_events::ABOUT),
        plain_command::<ctr_export::CtrExport>(ctr_export::NAME, ctr_export::ABOUT),
        plain_command::<ctr_fmt::Args>(ctr_fmt::NAME, ctr_fmt::ABOUT),
        plain_command::<ctr_fsck::CtrFsck>(ctr_fsck::NAME, ctr_fsck::ABOUT),
        plain_command::<ctr_info::CtrInfo>(ctr_info::NAME, ctr_info::ABOUT),
        plain_command::<ctr_inspect::CtrInspect>(ctr_inspect::NAME, ctr_inspect::ABOUT),
        plain_command::<ctr_kill::CtrKill>(ctr_kill::NAME, ctr_kill::ABOUT),
        plain_command::<ctr_logs::CtrLogs>(ctr_logs::NAME, ctr_logs::ABOUT),
        plain_command::<ctr_ls::CtrLs>(ctr_ls::NAME, ctr_ls::ABOUT),
        plain_command::<ctr_network::CtrNetwork>(ctr_network::NAME, ctr_network::ABOUT),
        plain_command::<ctr_pause::CtrPause>(ctr_pause::NAME, ctr_pause::ABOUT),
        plain_command::<ctr_port::CtrPort>(ctr_port::NAME, ctr_port::ABOUT),
        plain_command::<ctr_prune::CtrPrune>(ctr_prune::NAME, ctr_prune::ABOUT),
        plain_command::<ctr_rename::CtrRename>(ctr_rename::NAME, ctr_rename::ABOUT),
        plain_command::<net_dns::NetDns>(net_dns::NAME, net_dns::ABOUT),
        plain_command::<net_proxy::NetProxy>(net_proxy::NAME, net_proxy::ABOUT),
        plain_command::<ctr_rm::CtrRm>(ctr_rm::NAME, ctr_rm::ABOUT),
        plain_command::<ctr_start::CtrStart>(ctr_start::NAME, ctr_start::ABOUT),
        plain_command::<ctr_stop::CtrStop>(ctr_stop::NAME, ctr_stop::ABOUT),
        plain_command::<ctr_supervise::CtrSupervise>(ctr_supervise::NAME, ctr_supervise::ABOUT),
        plain_command::<ctr_top::CtrTop>(ctr_top::NAME, ctr_top::ABOUT),
        plain_command::<ctr_update::CtrUpdate>(ctr_update::NAME, ctr_update::ABOUT),
        plain_command::<ctr_volume::CtrVolume>(ctr_volume::NAME, ctr_volume::ABOUT),
        plain_command::<ctr_wait::CtrWait>(ctr_wait::NAME, ctr_wait::ABOUT),
        plain_command::<img_diff::ImgDiff>(img_diff::NAME, img_diff::ABOUT),
        plain_command::<img_history::ImgHistory>(img_history::NAME, img_history::ABOUT),
        plain_command::<img_inspect::ImgInspect>(img_inspect::NAME, img_inspect::ABOUT),
        plain_command::<img_ls::ImgLs>(img_ls::NAME, img_ls::ABOUT),
        plain_command::<img_prune::ImgPrune>(img_prune::NAME, img_prune::ABOUT),
        plain_command::<img_rm::ImgRm>(img_rm::NAME, img_rm::ABOUT),
        plain_command::<img_save::ImgSave>(img_save::NAME, img_save::ABOUT),
        plain_command::<img_tag::ImgTag>(img_tag::NAME, img_tag::ABOUT),
        plain_command::<ns_enter::NsEnter>(ns_enter::NAME, ns_enter::ABOUT),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_tool_is_forgotten() {
        let tools = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
        let manifests = fs::read_dir(tools).into_iter().flatten().flatten().map(|e| e.path().join("Cargo.toml"));
        let names: BTreeSet<String> = manifests
            .filter_map(|path| fs::read_to_string(path).ok())
            .filter_map(|text| Some(text.split_once("name = \"")?.1.split_once('"')?.0.to_owned()))
            // Nobody types its name.
            .filter(|name| name != "ctr-init")
            .chain(["ctr".to_owned()])
            .collect();
        let known: BTreeSet<String> = commands().iter().map(|c| c.get_name().to_owned()).collect();
        assert_eq!(known, names);
    }
}
