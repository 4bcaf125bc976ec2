//! `net-dns`: see the library half.

fn main() -> std::process::ExitCode {
    ctr_core::plain(net_dns::NAME, net_dns::ABOUT, net_dns::run)
}
