package record

import "time"

// Clock is the time of a record: 48 bits of milliseconds since 1970 by mesh time, then
// 16 bits that count within one millisecond.
type Clock uint64

// Time is the time that c says, in milliseconds.
func (c Clock) Time() time.Time { return time.UnixMilli(int64(c >> 16)) }
