package local_test

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/node/surface/local"
)

// asNobody runs fn on a thread of another user. Only root can.
func asNobody(t *testing.T, fn func() error) error {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlock: the thread ends with the goroutine
		const nobody = 65534
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, nobody, nobody, nobody); errno != 0 {
			done <- errno
			return
		}
		done <- fn()
	}()
	return <-done
}

func TestOtherUsersAreTurnedAway(t *testing.T) {
	path := socket(t)
	serve(t, local.ServerConfig{Socket: path})
	dial := func() error {
		c, err := net.Dial("unix", path)
		if err != nil {
			return err
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(time.Minute))
		_, _ = io.WriteString(c, "GET /v1/hello HTTP/1.1\r\nHost: x\r\n\r\n")
		answer, err := io.ReadAll(c)
		if len(answer) > 0 {
			return nil
		}
		return errors.Join(errors.New("turned away"), err)
	}
	if err := asNobody(t, dial); !errors.Is(err, os.ErrPermission) {
		t.Errorf("by the mode of the socket: %v", err)
	}
	for _, p := range []string{path, filepath.Dir(path)} {
		if err := os.Chmod(p, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	if err := asNobody(t, dial); err == nil || errors.Is(err, os.ErrPermission) {
		t.Errorf("by the check of the user id: %v", err)
	}
}

func TestAnotherUsersServerIsNotTrusted(t *testing.T) {
	path := socket(t)
	if err := os.Chmod(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	var l net.Listener
	if err := asNobody(t, func() (err error) { l, err = net.Listen("unix", path); return err }); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := client(t, local.ClientConfig{Socket: path}).Hello(t.Context()); op.CodeOf(err) != op.Denied {
		t.Fatalf("got %v", err)
	}
}
