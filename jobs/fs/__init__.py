"""Files that survive a crash, locks that die with their holder, room on the disks."""
