package store

import (
	"encoding/json"
	"fmt"
)

// PutJSON stores v as JSON. Besides Put's errors it returns those of encoding;
// either makes the operation fail.
func PutJSON[T any](b *Bucket, key []byte, v T) error {
	text, err := json.Marshal(v)
	if err != nil {
		err = fmt.Errorf("store: encode key %q: %w", key, err)
		if b != nil {
			_ = b.tx.note(err)
		}
		return err
	}
	return b.Put(key, text)
}

// GetJSON reads what PutJSON stored. found is false, and v zero, if there is
// no such key. An error means that the value is not JSON for a T.
func GetJSON[T any](b *Bucket, key []byte) (v T, found bool, err error) {
	text := b.Get(key)
	if text == nil {
		return v, false, nil
	}
	if err := json.Unmarshal(text, &v); err != nil {
		var zero T
		return zero, false, fmt.Errorf("store: decode key %q: %w", key, err)
	}
	return v, true, nil
}
