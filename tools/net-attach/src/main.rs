//! `net-attach`: see the library half.

fn main() -> std::process::ExitCode {
    ctr_core::pipe::<net_attach::NetAttach>()
}
