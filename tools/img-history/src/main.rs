//! `img-history`: see the library half.

fn main() -> std::process::ExitCode {
    ctr_core::plain(img_history::NAME, img_history::ABOUT, img_history::run)
}
