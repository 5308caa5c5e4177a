"""Child processes that outlive the daemon: the protocol, the daemon's side of it and the child's."""
