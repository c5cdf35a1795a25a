//! Sites on Moto's server, a program that the tests did not write.

use packhouse_clients::S3Server;
use packhouse_publish::{Access, Store};

use crate::server::{Dialect, access, open};

pub fn moto_access(moto: &S3Server) -> Access {
    access(Dialect::S3, &moto.endpoint())
}

pub fn moto_store(moto: &S3Server, site: &str) -> Store {
    open(Dialect::S3, site, &moto_access(moto))
}
