//! `img-prune`: see the library half.

fn main() -> std::process::ExitCode {
    ctr_core::plain(img_prune::NAME, img_prune::ABOUT, img_prune::run)
}
