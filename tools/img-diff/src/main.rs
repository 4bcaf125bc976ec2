//! `img-diff`: see the library half.

fn main() -> std::process::ExitCode {
    ctr_core::plain(img_diff::NAME, img_diff::ABOUT, img_diff::run)
}
