//! `img-ls`: see the library half.

fn main() -> std::process::ExitCode {
    ctr_core::plain(img_ls::NAME, img_ls::ABOUT, img_ls::run)
}
