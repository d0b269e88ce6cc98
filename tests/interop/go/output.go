// Role: prints events as JSON, one a line.
// Invariant: lines of different goroutines never mix, and each has a field "event".
// Not here: which events there are (README.md lists them).

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
)

// fields are the contents of an event beside its name.
type fields map[string]any

type printer struct {
	mu  sync.Mutex
	enc *json.Encoder
}

func newPrinter(out io.Writer) *printer {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	return &printer{enc: enc}
}

// event prints one line. A reader that has gone cannot be told so, hence the process ends.
func (p *printer) event(name string, f fields) {
	f["event"] = name
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.enc.Encode(f); err != nil {
		fmt.Fprintln(os.Stderr, "gopeer: cannot print:", err)
		os.Exit(exitFailed)
	}
}

// failure prints what went wrong with a command.
func (p *printer) failure(command string, err error) {
	p.event("error", fields{"command": command, "error": err.Error()})
}
