package upgrade

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// client is an HTTP client that keeps no connections. Where it is led elsewhere it
// follows a few times, and never from a closed connection to an open one.
func client(patience time.Duration) *http.Client {
	const most = 5
	return &http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true, DisableCompression: true,
			TLSHandshakeTimeout: patience, ResponseHeaderTimeout: patience, ForceAttemptHTTP2: true,
		},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) >= most {
				return fmt.Errorf("led on more than %d times", most)
			}
			if via[0].URL.Scheme == "https" && r.URL.Scheme != "https" {
				return errors.New("led to an address without encryption")
			}
			return nil
		},
	}
}

// fetch writes a file of the release to w, of at most that many bytes. It gives up
// when no byte comes for as long as its patience lasts, and at the limit in any case.
func (u *Upgrader) fetch(ctx context.Context, name string, most int64, w io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, u.cfg.Limit)
	defer cancel()
	stalled := time.AfterFunc(u.cfg.Patience, cancel)
	defer stalled.Stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.cfg.URL+"/"+name, nil)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	req.Header.Set("User-Agent", "claudemesh") // and nothing about who asks
	resp, err := u.http.Do(req)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusNotFound:
		return fmt.Errorf("%w: it has no %s", ErrNone, name)
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("%w: it answers %s for %s", ErrUnreachable, resp.Status, name)
	case resp.ContentLength > most:
		return fmt.Errorf("%w: %s has %d bytes, the limit is %d", ErrTooLarge, name, resp.ContentLength, most)
	}
	body := io.TeeReader(resp.Body, pulse(func() { stalled.Reset(u.cfg.Patience) }))
	n, err := io.Copy(w, io.LimitReader(body, most+1))
	var disk *writeError
	switch {
	case errors.As(err, &disk):
		return disk.error
	case err != nil:
		return fmt.Errorf("%w: %s broke off after %d bytes: %w", ErrUnreachable, name, n, err)
	case n > most:
		return fmt.Errorf("%w: %s has more than %d bytes", ErrTooLarge, name, most)
	}
	return nil
}

// pulse is called for whatever comes.
type pulse func()

func (p pulse) Write(b []byte) (int, error) {
	p()
	return len(b), nil
}

// writeError marks what the disk has to say among the errors of the network.
type writeError struct{ error }

func (e *writeError) Unwrap() error { return e.error }
