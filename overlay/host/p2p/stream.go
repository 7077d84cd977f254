package p2p

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	msmux "github.com/multiformats/go-multistream"
)

// ErrProtocol: the other side does not speak the protocol.
var ErrProtocol = errors.New("p2p: protocol not spoken")

// Stream is a stream whose protocol is agreed on with its first bytes, so that opening it costs no
// round trip: the first read may return ErrProtocol.
type Stream struct {
	network.Stream // the stream underneath, past its negotiation once something has been read
	rw             msmux.LazyConn
}

// Open opens a stream on this very connection.
func Open(ctx context.Context, c network.Conn, proto protocol.ID) (*Stream, error) {
	s, err := c.NewStream(network.WithAllowLimitedConn(ctx, agent))
	if err != nil {
		return nil, err
	}
	if err := s.SetProtocol(proto); err != nil {
		s.Reset()
		return nil, err
	}
	return &Stream{s, msmux.NewMSSelect(s, proto)}, nil
}

func (s *Stream) Read(b []byte) (int, error) {
	n, err := s.rw.Read(b)
	var na msmux.ErrNotSupported[protocol.ID]
	if errors.As(err, &na) {
		err = ErrProtocol
	}
	return n, err
}

func (s *Stream) Write(b []byte) (int, error) { return s.rw.Write(b) }

// CloseWrite sends what negotiation is still to be sent, and ends our direction.
func (s *Stream) CloseWrite() error {
	return errors.Join(s.rw.Flush(), s.Stream.CloseWrite())
}

// Close does so for both directions.
func (s *Stream) Close() error {
	return errors.Join(s.rw.Flush(), s.Stream.Close())
}

// Ping sends libp2p's ping over c itself, 32 random bytes that come back, and returns how long it took.
func Ping(ctx context.Context, c network.Conn, timeout time.Duration) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	s, err := Open(ctx, c, ping.ID)
	if err != nil {
		return 0, err
	}
	defer s.Reset()
	defer context.AfterFunc(ctx, func() { s.Reset() })()
	var out, in [ping.PingSize]byte
	rand.Read(out[:]) // never fails
	begun := time.Now()
	if _, err := s.Write(out[:]); err != nil {
		return 0, err
	}
	if _, err := io.ReadFull(s, in[:]); err != nil {
		return 0, err
	}
	if !bytes.Equal(in[:], out[:]) {
		return 0, errors.New("p2p: ping came back changed")
	}
	return time.Since(begun), nil
}
