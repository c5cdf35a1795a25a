//! Sites on Moto's server, a program that the tests did not write.

use packhouse_clients::Moto;
use packhouse_publish::{Access, Store};

use crate::server::{Dialect, access, open};

pub fn moto_access(moto: &Moto) -> Access {
    access(Dialect::S3, &moto.endpoint())
}

pub fn moto_store(moto: &Moto, site: &str) -> Store {
    open(Dialect::S3, site, &moto_access(moto))
}
