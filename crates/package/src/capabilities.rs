//! What a program may do although root did not start it: file capabilities (capabilities(7)).
//!
//! Users write them as setcap(8) does, `cap_net_bind_service=ep`; the kernel keeps them in the extended attribute
//! `security.capability`, in the form of `struct vfs_cap_data` (linux/capability.h, revision 2).

use std::fmt;

/// The capabilities of a file: the same sets as in the kernel's attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Capabilities {
    permitted: u64,
    inheritable: u64,
    is_effective: bool,
}

/// In the order of their numbers (linux/capability.h).
const NAMES: [&str; 41] = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];

const REVISION_2: u32 = 0x0200_0000;
const EFFECTIVE: u32 = 1;

impl Capabilities {
    /// Reads the form of cap_from_text(3) that files can have: names, an operator `=` or `+`, and the sets `e`,
    /// `i`, `p`; clauses are separated by blanks. `None` when it is not that, or says nothing.
    ///
    /// ```
    /// use packhouse_package::Capabilities;
    /// let ping = Capabilities::parse("cap_net_raw+ep").unwrap();
    /// assert_eq!(ping.to_string(), "cap_net_raw=ep");
    /// assert!(Capabilities::parse("cap_fly=ep").is_none());
    /// ```
    pub fn parse(text: &str) -> Option<Capabilities> {
        let mut sets = Capabilities { permitted: 0, inheritable: 0, is_effective: false };
        let mut effective = 0;
        for clause in text.split_whitespace() {
            let (names, flags) = clause.split_once(['=', '+'])?;
            let mut mask = 0;
            for name in names.split(',') {
                let name = name.to_ascii_lowercase();
                let number = NAMES.iter().position(|known| name.strip_prefix("cap_") == Some(known))?;
                mask |= 1 << number;
            }
            if flags.is_empty() || !flags.chars().all(|flag| "eip".contains(flag)) {
                return None;
            }
            for (flag, set) in
                [('p', &mut sets.permitted), ('i', &mut sets.inheritable), ('e', &mut effective)]
            {
                if flags.contains(flag) {
                    *set |= mask;
                }
            }
        }
        // A file has one effective bit for all of its sets (capabilities(7), "File capabilities").
        sets.is_effective = effective != 0;
        let has_any = sets.permitted | sets.inheritable;
        (has_any != 0 && (effective == 0 || effective == has_any)).then_some(sets)
    }

    /// The value of the extended attribute `security.capability`: revision 2, 20 bytes, little-endian.
    pub fn to_attribute(self) -> [u8; 20] {
        let magic = REVISION_2 | if self.is_effective { EFFECTIVE } else { 0 };
        let low = |set: u64| set as u32;
        let high = |set: u64| (set >> 32) as u32;
        let words =
            [magic, low(self.permitted), low(self.inheritable), high(self.permitted), high(self.inheritable)];
        let mut bytes = [0; 20];
        for (place, word) in bytes.chunks_exact_mut(4).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    /// Reads the value of the extended attribute; `None` for another revision, another length, or none at all.
    pub fn from_attribute(bytes: &[u8]) -> Option<Capabilities> {
        let words: Vec<u32> = bytes
            .chunks_exact(4)
            .map(|word| u32::from_le_bytes(word.try_into().expect("chunks of four")))
            .collect();
        let [magic, permitted_low, inheritable_low, permitted_high, inheritable_high] = words[..] else {
            return None;
        };
        if bytes.len() != 20 || magic & !EFFECTIVE != REVISION_2 {
            return None;
        }
        let set = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
        let sets = Capabilities {
            permitted: set(permitted_low, permitted_high),
            inheritable: set(inheritable_low, inheritable_high),
            is_effective: magic & EFFECTIVE != 0,
        };
        (sets.permitted | sets.inheritable != 0).then_some(sets)
    }
}

/// As `getcap` prints them: a clause for each combination of sets, names in the order of their numbers.
impl fmt::Display for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        let clauses = [
            (self.permitted & self.inheritable, "ip"),
            (self.permitted & !self.inheritable, "p"),
            (self.inheritable & !self.permitted, "i"),
        ];
        for (set, flags) in clauses {
            let names: Vec<String> = (0..64)
                .filter(|number| set >> number & 1 == 1)
                .map(|number| match NAMES.get(number) {
                    Some(name) => format!("cap_{name}"),
                    None => number.to_string(),
                })
                .collect();
            if !names.is_empty() {
                let effective = if self.is_effective { "e" } else { "" };
                write!(f, "{separator}{}={effective}{flags}", names.join(","))?;
                separator = " ";
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_setcap_writes_is_what_the_kernel_reads() {
        // `setcap cap_net_raw,cap_net_admin=ep x; getfattr -e hex -n security.capability x`
        let sets = Capabilities::parse("cap_net_raw,cap_net_admin=ep").unwrap();
        let expected = [1, 0, 0, 2, 0, 0x30, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(sets.to_attribute(), expected);
        assert_eq!(Capabilities::from_attribute(&expected), Some(sets));
        assert_eq!(sets.to_string(), "cap_net_admin,cap_net_raw=ep");
    }

    #[test]
    fn what_a_file_cannot_have_is_refused() {
        for text in ["", "cap_net_raw", "cap_net_raw=", "=ep", "cap_net_raw=x", "net_raw=ep", "all=ep"] {
            assert_eq!(Capabilities::parse(text), None, "{text}");
        }
        // One effective bit is for all.
        assert_eq!(Capabilities::parse("cap_chown=ep cap_kill=p"), None);
        assert_eq!(Capabilities::from_attribute(&[0; 20]), None);
        assert_eq!(Capabilities::from_attribute(b"short"), None);
    }
}
