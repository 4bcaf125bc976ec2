//! `ctr-fsck`: see the library half.

fn main() -> std::process::ExitCode {
    ctr_core::plain(ctr_fsck::NAME, ctr_fsck::ABOUT, ctr_fsck::run)
}
