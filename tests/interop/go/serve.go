// Role: the serving side of the two test protocols, echo and rr.
// Invariant: a stream ends by its deadline, and a bad request resets it; both are printed.
// Not here: the calling side and the protocols' description (calls.go).

package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
)

// serve offers both protocols.
func (g *gopeer) serve() {
	g.host.SetStreamHandler(echoProtocol, g.served(serveEcho))
	g.host.SetStreamHandler(rrProtocol, g.served(serveRequest))
}

// served wraps a handler, which returns how many bytes it sent: deadline, end and report.
func (g *gopeer) served(handle func(network.Stream) (int64, error)) network.StreamHandler {
	return func(s network.Stream) {
		err := s.SetDeadline(time.Now().Add(g.timeout))
		var sent int64
		if err == nil {
			sent, err = handle(s)
		}
		if err == nil {
			err = s.Close()
		}
		who := s.Conn().RemotePeer().String()
		if err != nil {
			g.lines.failure(fmt.Sprintf("serve %s %s", s.Protocol(), who), errors.Join(err, s.Reset()))
			return
		}
		g.lines.event("served", fields{"protocol": string(s.Protocol()), "peer": who, "bytes": sent})
	}
}

func serveEcho(s network.Stream) (int64, error) {
	return io.Copy(s, s)
}

// serveRequest answers only once the caller has closed its half: that it arrives is what is tested.
func serveRequest(s network.Stream) (int64, error) {
	request, err := io.ReadAll(io.LimitReader(s, 5))
	if err != nil {
		return 0, fmt.Errorf("read the request: %w", err)
	}
	if len(request) != 4 {
		return 0, fmt.Errorf("a request of %d bytes instead of 4", len(request))
	}
	length := binary.BigEndian.Uint32(request)
	if length > answerMax {
		return 0, fmt.Errorf("a request for %d bytes, at most %d are given", length, answerMax)
	}
	return io.CopyN(s, endless{}, int64(length))
}

// endless is a source of the same byte over and over.
type endless struct{}

func (endless) Read(into []byte) (int, error) {
	for i := range into {
		into[i] = 0xa5
	}
	return len(into), nil
}
