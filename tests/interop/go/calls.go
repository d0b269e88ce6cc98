// Role: the calling side of the two test protocols, echo and rr.
// Invariant: success means that every byte was counted or compared and the other side closed its half.
// Not here: the serving side (serve.go).

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

const (
	// What comes in goes out again until the caller closes its half; then the server closes its own.
	echoProtocol protocol.ID = "/peerloom-test/echo/1"
	// A request is a length, four bytes, big-endian, and the end of the half; the answer is so many bytes and the end.
	rrProtocol protocol.ID = "/peerloom-test/rr/1"

	echoMax     = 1 << 30
	requestsMax = 1_000
	// The longest answer that a request may ask for, in bytes.
	answerMax = 16 << 20
	// Unless the command names one, request i asks for i*answerStep mod answerSpan bytes: from none to four messages.
	answerStep = 4_099
	answerSpan = 64<<10 + 1
)

// open opens a stream over the connection there is, with the command's deadline on it.
func (g *gopeer) open(ctx context.Context, id peer.ID, proto protocol.ID) (network.Stream, error) {
	s, err := g.host.NewStream(network.WithNoDial(ctx, "test"), id, proto)
	if err != nil {
		return nil, fmt.Errorf("open stream: %w", err)
	}
	if deadline, has := ctx.Deadline(); has {
		if err := s.SetDeadline(deadline); err != nil {
			return nil, errors.Join(fmt.Errorf("set deadline: %w", err), s.Reset())
		}
	}
	return s, nil
}

// echo sends random bytes, closes its half, and compares what comes back.
func (g *gopeer) echo(ctx context.Context, args []string) (fields, error) {
	id, err := g.connected(args[0])
	if err != nil {
		return nil, err
	}
	size, err := number(args[1], 0, echoMax)
	if err != nil {
		return nil, err
	}
	s, err := g.open(ctx, id, echoProtocol)
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	sent := make(chan error, 1)
	out, back := sha256.New(), sha256.New()
	go func() {
		_, err := io.CopyN(io.MultiWriter(out, s), rand.Reader, int64(size))
		if err == nil {
			err = s.CloseWrite()
		}
		if err != nil {
			// The reader must not wait for an answer to what was never sent.
			err = errors.Join(fmt.Errorf("send: %w", err), s.Reset())
		}
		sent <- err
	}()
	got, err := io.Copy(back, io.LimitReader(s, int64(size)+1))
	if err != nil || got != int64(size) {
		err = errors.Join(fmt.Errorf("%d of %d bytes came back: %w", got, size, orEnd(err)), s.Reset(), <-sent)
		return nil, err
	}
	took := time.Since(begin)
	if err := <-sent; err != nil {
		return nil, err
	}
	if !bytes.Equal(out.Sum(nil), back.Sum(nil)) {
		return nil, errors.Join(errors.New("other bytes came back"), s.Reset())
	}
	if err := s.Close(); err != nil {
		return nil, fmt.Errorf("close: %w", err)
	}
	return fields{
		"peer":         id.String(),
		"bytes":        size,
		"sha256":       hex.EncodeToString(back.Sum(nil)),
		"mibPerSecond": float64(size) / (1 << 20) / took.Seconds(),
	}, nil
}

// requests makes N half-closing requests at once.
func (g *gopeer) requests(ctx context.Context, args []string) (fields, error) {
	id, err := g.connected(args[0])
	if err != nil {
		return nil, err
	}
	count, err := number(args[1], 1, requestsMax)
	if err != nil {
		return nil, err
	}
	length := func(i int) int { return i * answerStep % answerSpan }
	if len(args) > 2 {
		fixed, err := number(args[2], 0, answerMax)
		if err != nil {
			return nil, err
		}
		length = func(int) int { return fixed }
	}
	var all sync.WaitGroup
	faults := make([]error, count)
	total := 0
	for i := range count {
		total += length(i)
		all.Go(func() { faults[i] = g.request(ctx, id, length(i)) })
	}
	all.Wait()
	failed := 0
	var first error
	for i, err := range faults {
		if err == nil {
			continue
		}
		failed++
		if first == nil {
			first = fmt.Errorf("request %d for %d bytes: %w", i, length(i), err)
		}
	}
	if first != nil {
		return nil, fmt.Errorf("%d of %d requests failed, the first is %w", failed, count, first)
	}
	return fields{"peer": id.String(), "count": count, "bytes": total}, nil
}

// request asks for `length` bytes and reads them and the end behind them.
func (g *gopeer) request(ctx context.Context, id peer.ID, length int) error {
	s, err := g.open(ctx, id, rrProtocol)
	if err != nil {
		return err
	}
	var request [4]byte
	binary.BigEndian.PutUint32(request[:], uint32(length))
	if _, err := s.Write(request[:]); err != nil {
		return errors.Join(fmt.Errorf("write: %w", err), s.Reset())
	}
	if err := s.CloseWrite(); err != nil {
		return errors.Join(fmt.Errorf("close the half: %w", err), s.Reset())
	}
	got, err := io.Copy(io.Discard, io.LimitReader(s, int64(length)+1))
	if err != nil || got != int64(length) {
		return errors.Join(fmt.Errorf("%d of %d bytes came: %w", got, length, orEnd(err)), s.Reset())
	}
	return s.Close()
}

// orEnd names the case in which nothing failed but the end came at the wrong place.
func orEnd(err error) error {
	if err == nil {
		return errors.New("the end of the stream is at the wrong place")
	}
	return err
}
