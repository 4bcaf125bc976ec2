//! `img-save`: see the library half.

fn main() -> std::process::ExitCode {
    ctr_core::plain(img_save::NAME, img_save::ABOUT, img_save::run)
}
