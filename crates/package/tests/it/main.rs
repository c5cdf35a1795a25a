//! Behaviour of the package writers, judged by the distributions' own tools.

mod compressed_streams;
