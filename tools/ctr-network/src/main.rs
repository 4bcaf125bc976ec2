//! `ctr-network`: see the library half.

fn main() -> std::process::ExitCode {
    ctr_core::plain::<ctr_network::CtrNetwork>(ctr_network::NAME, ctr_network::ABOUT, ctr_network::run)
}
