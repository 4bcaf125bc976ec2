//! `img-rm`: see the library half.

fn main() -> std::process::ExitCode {
    ctr_core::plain(img_rm::NAME, img_rm::ABOUT, img_rm::run)
}
