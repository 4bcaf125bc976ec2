//! `img-tag`: see the library half.

fn main() -> std::process::ExitCode {
    ctr_core::plain(img_tag::NAME, img_tag::ABOUT, img_tag::run)
}
