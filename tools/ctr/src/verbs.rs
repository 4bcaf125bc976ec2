//! The commands, under each name that docker has for them.

use crate::{
    Plan, container, disk,
    flags::{Flag, Given},
    image, life, machine, network, run, update, volume,
};
use ctr_core::Result;

/// One command.
pub struct Verb {
    /// Its names, the everyday one first.
    pub names: &'static [&'static str],
    /// Its line in the help.
    pub about: &'static str,
    /// What follows its name.
    pub usage: &'static str,
    /// Its flags.
    pub flags: &'static [Flag],
    /// Flags that docker has for it and that are refused.
    pub later: &'static [Flag],
    /// Whether flags end at the first operand.
    pub stop: bool,
    /// Makes the plan.
    pub plan: fn(&Given) -> Result<Plan>,
}

const fn verb(
    names: &'static [&'static str],
    usage: &'static str,
    about: &'static str,
    flags: &'static [Flag],
    plan: fn(&Given) -> Result<Plan>,
) -> Verb {
    Verb { names, about, usage, flags, later: &[], stop: false, plan }
}

/// Every command that there is.
pub const VERBS: &[Verb] = &[
    Verb {
        later: run::LATER,
        stop: true,
        ..verb(
            &["run", "container run"],
            "IMAGE [COMMAND] [ARG…]",
            "Run a command in a new container",
            run::FLAGS,
            run::run,
        )
    },
    Verb {
        later: run::LATER,
        stop: true,
        ..verb(
            &["create", "container create"],
            "IMAGE [COMMAND] [ARG…]",
            "Make a container and do not start it",
            run::FLAGS,
            run::create,
        )
    },
    Verb {
        stop: true,
        ..verb(
            &["exec", "container exec"],
            "CONTAINER COMMAND [ARG…]",
            "Run a command in a running container",
            life::EXEC,
            life::exec,
        )
    },
    verb(&["ps", "container ls", "container list", "container ps"], "", "List containers", life::PS, life::ps),
    verb(&["logs", "container logs"], "CONTAINER", "Print what a container wrote", life::LOGS, life::logs),
    verb(&["start", "container start"], "CONTAINER…", "Start containers", life::START, life::start),
    verb(&["stop", "container stop"], "CONTAINER…", "Stop containers", life::STOP, life::stop),
    verb(&["restart", "container restart"], "CONTAINER…", "Stop containers and start them", life::STOP, life::restart),
    verb(&["kill", "container kill"], "CONTAINER…", "Send containers a signal", life::KILL, life::kill),
    verb(&["pause", "container pause"], "CONTAINER…", "Freeze every process of containers", life::NONE, life::pause),
    verb(&["unpause", "container unpause"], "CONTAINER…", "Let frozen containers go on", life::NONE, life::unpause),
    verb(&["wait", "container wait"], "CONTAINER…", "Wait until containers have ended", life::WAIT, life::wait),
    verb(
        &["attach", "container attach"],
        "CONTAINER",
        "Connect to the streams of a container",
        life::ATTACH,
        life::attach,
    ),
    Verb {
        stop: true,
        ..verb(&["top", "container top"], "CONTAINER [PS-OPTION…]", "List its processes", life::NONE, life::top)
    },
    verb(
        &["stats", "container stats"],
        "[CONTAINER…]",
        "Show what containers use, again and again",
        life::STATS,
        life::stats,
    ),
    verb(
        &["cp", "container cp"],
        "CONTAINER:PATH|PATH|- CONTAINER:PATH|PATH|-",
        "Copy files into a container or out of it",
        life::CP,
        life::cp,
    ),
    verb(&["diff", "container diff"], "CONTAINER", "List what it changed of its image", life::NONE, life::diff),
    verb(
        &["commit", "container commit"],
        "CONTAINER [REPOSITORY[:TAG]]",
        "Make an image of a container",
        container::COMMIT,
        container::commit,
    ),
    verb(&["export", "container export"], "CONTAINER", "Write its root as a tar", life::EXPORT, life::export),
    verb(&["rename", "container rename"], "CONTAINER NAME", "Give it another name", life::NONE, life::rename),
    verb(&["update", "container update"], "CONTAINER…", "Change limits", update::UPDATE, update::update),
    verb(
        &["events", "system events"],
        "",
        "Print what happens to containers and other things",
        life::EVENTS,
        life::events,
    ),
    verb(&["container prune"], "", "Remove every container that does not run", life::PRUNE, life::prune),
    verb(&["rm", "container rm", "container remove"], "CONTAINER…", "Remove containers", container::RM, container::rm),
    verb(&["pull", "image pull"], "IMAGE", "Fetch an image from its registry", image::PULL, image::pull),
    verb(&["images", "image ls", "image list"], "[REPOSITORY[:TAG]]", "List images", image::IMAGES, image::images),
    verb(&["rmi", "image rm", "image remove"], "IMAGE…", "Remove images", image::RMI, image::rmi),
    verb(&["tag", "image tag"], "IMAGE NAME", "Give an image another name", image::TAG, image::tag),
    verb(&["load", "image load"], "", "Load images from an archive", image::LOAD, image::load),
    verb(&["save", "image save"], "IMAGE…", "Write images as an archive", image::SAVE, image::save),
    verb(&["history", "image history"], "IMAGE", "Show how an image was made", image::HISTORY, image::history),
    verb(&["image prune"], "", "Remove images that no container has", image::PRUNE, image::prune),
    verb(&["image diff"], "IMAGE IMAGE", "List the files by which they differ", image::DIFF, image::diff),
    verb(
        &["import", "image import"],
        "FILE|- [NAME]",
        "Make an image of a tar of a root",
        image::IMPORT,
        image::import,
    ),
    verb(&["inspect"], "NAME…", "Show everything about what has that name", container::INSPECT, container::inspect),
    verb(&["image inspect"], "IMAGE…", "Show everything about images", image::INSPECT, image::inspect),
    verb(
        &["container inspect"],
        "CONTAINER…",
        "Show everything about containers",
        container::INSPECT,
        container::inspect_containers,
    ),
    verb(
        &["port", "container port"],
        "[add|rm] CONTAINER [PORT…]",
        "List the ports it publishes, or change them",
        life::NONE,
        network::port,
    ),
    verb(&["network create"], "NAME", "Define a network", network::CREATE, network::create),
    verb(&["network connect"], "NETWORK CONTAINER", "Put a container on a network", network::CONNECT, network::connect),
    verb(
        &["network disconnect"],
        "NETWORK CONTAINER",
        "Take a container off a network",
        network::DISCONNECT,
        network::disconnect,
    ),
    verb(&["network ls", "network list"], "", "List networks", network::LS, network::ls),
    verb(&["network inspect"], "NETWORK…", "Show everything about networks", network::INSPECT, network::inspect),
    verb(&["network rm", "network remove"], "NETWORK…", "Remove networks", network::RM, network::rm),
    verb(&["network prune"], "", "Remove every network that no container is on", network::PRUNE, network::prune),
    verb(&["system df"], "", "Show what the disk is used for", disk::DF, disk::df),
    verb(&["system prune"], "", "Remove all that nothing uses", disk::PRUNE, disk::prune),
    verb(&["fsck", "system fsck"], "", "Verify all that is on the disk", disk::FSCK, disk::fsck),
    verb(&["volume create"], "[NAME]", "Make a volume", volume::CREATE, volume::create),
    verb(&["volume ls", "volume list"], "", "List volumes", volume::LS, volume::ls),
    verb(&["volume inspect"], "VOLUME…", "Show everything about volumes", volume::INSPECT, volume::inspect),
    verb(&["volume rm", "volume remove"], "VOLUME…", "Remove volumes", volume::RM, volume::rm),
    verb(&["volume prune"], "", "Remove volumes that no container uses", volume::PRUNE, volume::prune),
    verb(&["volume export"], "VOLUME", "Write its files as a tar", volume::EXPORT, volume::export),
    verb(&["volume import"], "VOLUME [FILE|-]", "Make a volume of a tar", volume::IMPORT, volume::import),
    verb(
        &["volume mount"],
        "CONTAINER [SOURCE:TARGET[:OPTIONS]…]",
        "Mount volumes, paths and memory in a container that runs",
        volume::MOUNT,
        volume::mount,
    ),
    verb(
        &["volume unmount"],
        "CONTAINER TARGET…",
        "Take mounts out of a container that runs",
        life::NONE,
        volume::unmount,
    ),
    verb(&["info", "system info"], "", "Show what this machine can do", machine::FORMAT, machine::info),
    verb(&["version"], "", "Show the release", machine::FORMAT, machine::version),
];

/// Words that begin a command of two words.
pub const GROUPS: &[&str] = &["container", "image", "network", "system", "volume"];

/// Commands of docker that are not there yet.
pub const LATER: &[&str] = &["build", "builder", "buildx", "compose", "login", "logout", "push", "search"];

/// The command that the first words of `args` name, and how many words that is.
pub fn find(args: &[String]) -> Option<(&'static Verb, usize)> {
    let words: Vec<&str> = args.iter().take(2).map(String::as_str).collect();
    [2, 1].into_iter().find_map(|n| {
        let name = words.get(..n)?.join(" ");
        Some((VERBS.iter().find(|verb| verb.names.contains(&name.as_str()))?, n))
    })
}
