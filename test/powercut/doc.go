// Package powercut finds out what a program keeps when the power goes.
//
// kill -9 keeps the kernel's page cache, so a program that never syncs passes
// it. Here the program runs as a child process in a small FUSE file system
// that the test process serves. It passes everything through to a folder and
// keeps one ordered log of writes, changes of size, names and syncs, and of
// the child's acknowledgements (see [Ack]), which are writes to one more file
// in the same mount: so acknowledgements and syncs are ordered exactly.
//
// Afterwards the log is cut at seeded positions and what a disk could hold at
// each is built anew in a folder of its own, for a check to look at. An image
// holds:
//
//   - of each file what was written before its last sync began, and of the
//     4 KiB pages written since none, half or nine tenths, each in any of the
//     versions it had meanwhile; or of the 512-byte sectors half (torn pages);
//     and its size as synced or as it was;
//   - of the names everything before the last sync of any folder, and some of
//     what followed, in order. Syncing a file does not sync its name. Many
//     file systems do, POSIX does not promise it.
//
// Sockets, times, owners and later changes of mode are not part of an image.
//
// # Use
//
// The child is any command that works in the folder it is given and calls Ack
// after each thing it promised. The test binary itself will do:
//
//	func TestMain(m *testing.M) {
//		powercut.Main(map[string]func(dir string) error{"writer": writer})
//		os.Exit(m.Run())
//	}
//
//	func TestPowerCuts(t *testing.T) {
//		powercut.Run(t, powercut.Config{
//			Child: powercut.Self("writer"),
//			Check: func(dir string, acked []string) error { … },
//		})
//	}
//
// Every user of the package should have controls: a child that does not sync
// and one that acknowledges too early, run with [Survey], and a test that
// fails if they are not caught.
//
// The test process must not open files in the mount itself: a process that
// waits for a file system it serves can wait for ever. A child of the node
// kind puts its socket elsewhere, or is driven by its standard input.
//
// Config.Fault makes single operations fail, which is how failing syncs and
// full disks are tried.
//
// It needs Linux, /dev/fuse and the right to mount; without, tests skip, or
// fail if CLAUDEMESH_REQUIRE_FUSE=1. CLAUDEMESH_LONG=1 makes 200 cuts instead
// of 40.
package powercut
