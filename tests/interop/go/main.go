// Role: the program `gopeer`: reads its flags, starts a stock go-libp2p host, obeys lines on standard input.
// Invariant: standard output carries one JSON object a line and nothing else; every command ends by a deadline.
// Not here: the host (host.go), the commands (commands.go), the protocols (calls.go, serve.go, gossip.go).

// Command gopeer is the go-libp2p side of Peerloom's interoperation tests. README.md lists its commands.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// Exit codes: the command line was wrong; the host could not start or the input broke.
const (
	exitUsage  = 2
	exitFailed = 1
)

// options are what the command line says.
type options struct {
	listen   []string
	webrtcV2 bool
	timeout  time.Duration
}

// list is a flag that may be given more than once.
type list []string

func (l *list) String() string { return strings.Join(*l, " ") }

func (l *list) Set(text string) error {
	*l = append(*l, text)
	return nil
}

func parseFlags(args []string) (options, error) {
	var opts options
	flags := flag.NewFlagSet("gopeer", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.Var((*list)(&opts.listen), "listen", "a multiaddr to listen on; may be repeated")
	flags.BoolVar(&opts.webrtcV2, "webrtc-v2", false, "dial webrtc-direct with handshake version 2 instead of 1")
	flags.DurationVar(&opts.timeout, "timeout", 30*time.Second, "the longest that one command or served stream may take")
	if err := flags.Parse(args); err != nil {
		return opts, err
	}
	if flags.NArg() > 0 {
		return opts, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if opts.timeout <= 0 {
		return opts, errors.New("the timeout must be positive")
	}
	return opts, nil
}

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout))
}

// run is the whole program; it returns the exit code.
func run(args []string, in io.Reader, out io.Writer) int {
	lines := newPrinter(out)
	opts, err := parseFlags(args)
	if err != nil {
		lines.failure("start", err)
		return exitUsage
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	g, err := start(ctx, opts, lines)
	if err != nil {
		lines.failure("start", err)
		return exitFailed
	}
	err = g.obey(ctx, in)
	cancel()
	if closed := g.close(); err == nil {
		err = closed
	}
	if err != nil {
		lines.failure("quit", err)
		return exitFailed
	}
	lines.event("bye", fields{})
	return 0
}
