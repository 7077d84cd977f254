package security

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// patience is how long a page waits for an answer that does not come.
const patience = 2 * time.Second

// refusal is how long one waits for an answer that must come, also from a busy machine.
const refusal = 30 * time.Second

// A page in a browser speaks HTTP and web sockets over TCP. The node has no TCP port but
// libp2p's, and that one answers neither.
func TestNoPortButLibp2ps(t *testing.T) {
	_, ana, _, ctx := pair(t)
	must(ctx, t, ana, "new", "team")
	ports, err := listening(ana.Node().PID())
	if err != nil || len(ports) != 1 {
		t.Fatalf("it listens at %v, %v", ports, err)
	}
	at := net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[0]))
	for name, request := range map[string]string{
		"a request":                "GET /v1/hello HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\n\r\n",
		"a name that was rebound":  "GET / HTTP/1.1\r\nHost: evil.example:" + strconv.Itoa(ports[0]) + "\r\nOrigin: http://evil.example:" + strconv.Itoa(ports[0]) + "\r\n\r\n",
		"a form":                   "POST /v1/op/mesh.invite HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}",
		"asking whether it may":    "OPTIONS /v1/op/mesh.invite HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\nAccess-Control-Request-Method: POST\r\n\r\n",
		"a web socket":             "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://evil.example\r\n\r\n",
		"HTTP/2, knowing of it":    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
		"libp2p's words in a form": "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20\r\n\r\n\x13/multistream/1.0.0\n",
	} {
		if answer := answered(t, at, request); bytes.Contains(answer, []byte("HTTP/")) || bytes.Contains(answer, []byte("claudemesh")) || len(answer) > 32 {
			t.Errorf("%s is answered: %q", name, answer)
		}
	}
	if answer := answered(t, at, clientHello(t, "h2", "http/1.1")); len(answer) > 0 && answer[0] == 0x16 {
		t.Errorf("TLS is answered: %x", answer)
	}
	for _, scheme := range []string{"http://", "https://"} {
		client := http.Client{Timeout: patience, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
		if resp, err := client.Get(scheme + at + "/"); err == nil {
			_ = resp.Body.Close()
			t.Errorf("%s: a page gets an answer: %s", scheme, resp.Status)
		}
		client.CloseIdleConnections()
	}
}

// answered is what comes back to a request: at most the first words of libp2p.
func answered(t *testing.T, at, request string) []byte {
	t.Helper()
	conn, err := net.DialTimeout("tcp", at, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte(request)); err != nil {
		t.Fatal(err)
	}
	answer, _ := io.ReadAll(io.LimitReader(conn, 4096)) // until it hangs up
	return answer
}

// clientHello is how a TLS client that wants to speak one of some protocols begins.
func clientHello(t *testing.T, protocols ...string) string {
	t.Helper()
	client, server := net.Pipe()
	defer server.Close()
	go func() {
		_ = tls.Client(client, &tls.Config{InsecureSkipVerify: true, NextProtos: protocols}).Handshake()
		_ = client.Close()
	}()
	hello := make([]byte, 16<<10)
	n, err := server.Read(hello)
	if err != nil || n < 100 {
		t.Fatalf("a hello of %d bytes: %v", n, err)
	}
	return string(hello[:n])
}

// A page can speak over UDP, too: HTTP/3, which WebTransport is spoken over, and the
// probes of WebRTC. The node's QUIC port is libp2p's alone: no handshake for another
// protocol succeeds, and without a node's certificate no stream opens.
func TestNoPageSpeaksQUIC(t *testing.T) {
	_, ana, _, ctx := pair(t)
	must(ctx, t, ana, "new", "team")
	open, err := ports(ana.Node().PID(), "udp", "07") // not connected: it takes packets of everybody
	if err != nil || !slices.Contains(open, ana.Port) {
		t.Fatalf("its ports are %v, not %d: %v", open, ana.Port, err)
	}
	for _, port := range open {
		at := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		for _, protocols := range [][]string{{"h3"}, {"h3-29", "h3"}, {"webtransport"}, {"hq-interop"}, {"doq"}, nil} {
			if got, err := overQUIC(ctx, at, protocols); !refused(err) {
				t.Errorf("port %d speaks QUIC for %v: %q, %v", port, protocols, got, err)
			}
		}
		if got, err := overQUIC(ctx, at, []string{"libp2p"}); !refused(err) {
			t.Errorf("port %d takes a stream of nobody: %q, %v", port, got, err)
		}
		transport := &http3.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
		client := http.Client{Timeout: patience, Transport: transport}
		if resp, err := client.Get("https://" + at + "/"); err == nil {
			_ = resp.Body.Close()
			t.Errorf("port %d speaks HTTP/3: %s", port, resp.Status)
		}
		if err := transport.Close(); err != nil {
			t.Error(err)
		}
		// What a page has its browser send to find a way for WebRTC.
		probe, _ := hex.DecodeString("000100002112a442" + "0102030405060708090a0b0c")
		if answer := datagram(t, at, probe); len(answer) > 0 {
			t.Errorf("port %d answers a probe of WebRTC: %x", port, answer)
		}
	}
}

// refused tells whether the other side has ended a handshake for what it was asked.
func refused(err error) bool {
	var end *quic.TransportError
	return errors.As(err, &end) && end.Remote && end.ErrorCode.IsCryptoError()
}

// overQUIC shakes hands for one of some protocols and asks on a stream. It returns what
// came back, or why nothing did.
func overQUIC(ctx context.Context, at string, protocols []string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, refusal)
	defer cancel()
	to, err := net.ResolveUDPAddr("udp", at)
	if err != nil {
		return nil, err
	}
	from, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	defer from.Close()
	// One of our own: Close waits until it has ended.
	transport := &quic.Transport{Conn: from}
	defer transport.Close()
	conn, err := transport.Dial(ctx, to, &tls.Config{InsecureSkipVerify: true, NextProtos: protocols}, nil)
	if err != nil {
		return nil, err
	}
	defer conn.CloseWithError(0, "")
	s, err := conn.OpenStreamSync(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := s.Write([]byte("\x13/multistream/1.0.0\n")); err != nil {
		return nil, err
	}
	if err := s.SetReadDeadline(time.Now().Add(refusal)); err != nil {
		return nil, err
	}
	answer := make([]byte, 4096)
	n, err := s.Read(answer)
	return answer[:n], err
}

// datagram is what comes back to one packet.
func datagram(t *testing.T, at string, packet []byte) []byte {
	t.Helper()
	conn, err := net.Dial("udp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(packet); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 4096)
	n, _ := conn.Read(answer) // nothing, until the deadline
	return answer[:n]
}
