//! img-ls
