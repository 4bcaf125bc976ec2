//! Help, and the command line as data for shell completions: both from the tables that commands are read by.

use crate::{
    flags::Flag,
    verbs::{GROUPS, VERBS, Verb},
};
use clap::{
    Arg, ArgAction, Command,
    error::{ContextKind, ContextValue},
};

/// The command line of ctr-plan itself.
pub fn tool() -> Command {
    Command::new("ctr-plan")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Print the pipe that does what a docker command line asks for, as a line of POSIX shell")
        .after_help("See ctr-plan(1).")
        .arg(
            Arg::new("show").long("show").action(ArgAction::SetTrue).help("For a reader: stdin need not be a terminal"),
        )
        .arg(Arg::new("print-help").long("print-help").action(ArgAction::SetTrue).help("Print the help of a command"))
        .arg(Arg::new("command").value_name("COMMAND").help("As it follows `ctr`"))
        .arg(Arg::new("arguments").value_name("ARG").num_args(0..).help("Its flags and operands"))
}

/// The command line of `ctr`.
pub fn command() -> Command {
    let mut ctr = Command::new("ctr")
        .version(env!("CARGO_PKG_VERSION"))
        .about("docker's everyday commands, each one a pipe of small tools")
        .after_help("`ctr --show COMMAND …` prints the pipe instead of running it. See ctr(1).")
        .disable_help_flag(true)
        .disable_help_subcommand(true)
        .disable_version_flag(true)
        .subcommand_value_name("COMMAND")
        .subcommand_help_heading("Commands")
        .subcommand_required(true)
        .arg(Arg::new("show").long("show").action(ArgAction::SetTrue).help("Print the pipe instead of running it"))
        .arg(Arg::new("help").long("help").action(ArgAction::SetTrue).help("Print help"))
        .arg(Arg::new("version").long("version").short('v').action(ArgAction::SetTrue).help("Print the version"));
    for verb in VERBS {
        if let Some(name) = verb.names.iter().find(|name| !name.contains(' ')) {
            ctr = ctr.subcommand(subcommand(verb, name, verb.names[0]));
        }
    }
    for group in GROUPS {
        let members = VERBS.iter().flat_map(|v| v.names.iter().map(move |name| (v, *name)));
        let members = members.filter_map(|(v, name)| Some((v, name.strip_prefix(group)?.strip_prefix(' ')?, name)));
        let about = format!("Commands that begin with `{group}`");
        let all = Command::new(*group).about(about).disable_help_flag(true).disable_help_subcommand(true);
        ctr = ctr.subcommand(all.subcommands(members.map(|(verb, word, name)| subcommand(verb, word, name))));
    }
    ctr
}

/// The help of a command, or of `ctr` where the words name none.
pub fn text(words: &[String]) -> String {
    let mut command = command();
    let mut name = "ctr".to_owned();
    for word in words {
        match command.find_subcommand(word).cloned() {
            Some(next) => {
                name = format!("{name} {word}");
                command = next.bin_name(&name);
            }
            None => break,
        }
    }
    command.render_help().to_string()
}

/// The commands, one or two, whose names are most like these words, which name none: `'ctr images' or 'ctr image'`.
pub fn nearest(first: &str, second: Option<&String>) -> Option<String> {
    // A word of a group alone, that of the whole machine first.
    let grouped = ["system"].iter().chain(GROUPS).map(|group| format!("{group} {first}"));
    let is_verb = |name: &String| VERBS.iter().any(|verb| verb.names.contains(&name.as_str()));
    if let Some(name) = grouped.into_iter().find(is_verb).filter(|_| second.is_none()) {
        return Some(format!("'ctr {name}'"));
    }
    let words = ["ctr", first].into_iter().chain(second.map(String::as_str));
    let error = command().try_get_matches_from(words).err()?;
    let Some(ContextValue::Strings(names)) = error.get(ContextKind::SuggestedSubcommand) else { return None };
    // The last one is the most like it.
    let whole =
        |name: &String| if second.is_some() { format!("'ctr {first} {name}'") } else { format!("'ctr {name}'") };
    Some(names.iter().rev().take(2).map(whole).collect::<Vec<_>>().join(" or "))
}

fn subcommand(verb: &Verb, word: &'static str, name: &str) -> Command {
    let usage = format!("ctr {name} [OPTIONS] {}", verb.usage);
    let flags = verb.flags.iter().filter(|flag| !matches!(flag.goes, crate::flags::Goes::NotYet(_)));
    Command::new(word)
        .about(verb.about)
        .override_usage(usage.trim_end().to_owned())
        .disable_help_flag(true)
        .args(flags.map(arg))
        .arg(Arg::new("help").long("help").action(ArgAction::SetTrue).help("Print help"))
        .arg(Arg::new("operands").num_args(0..).hide(true))
}

fn arg(flag: &Flag) -> Arg {
    let arg = Arg::new(flag.long).long(flag.long).help(flag.help).visible_aliases(flag.alias);
    let arg = flag.short.map_or(arg.clone(), |letter| arg.short(letter));
    match flag.value {
        None => arg.action(ArgAction::SetTrue),
        Some(name) if flag.list => arg.value_name(name).action(ArgAction::Append),
        Some(name) => arg.value_name(name),
    }
}
