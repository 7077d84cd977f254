package term

import "os"

// closed tells whether a stream is closed. There the write itself fails.
func closed(*os.File) bool { return false }
