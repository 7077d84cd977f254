package file

// SyncDir does nothing: Windows makes a rename durable by itself and cannot sync a
// folder.
func SyncDir(string) error { return nil }
