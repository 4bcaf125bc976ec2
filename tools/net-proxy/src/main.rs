//! `net-proxy`: see the library half.

fn main() -> std::process::ExitCode {
    ctr_core::plain(net_proxy::NAME, net_proxy::ABOUT, net_proxy::run)
}
