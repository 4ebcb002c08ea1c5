package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// wire is one kept HTTP/1.1 connection of a client. The requests are made
// beforehand and an answer is read once, so that the driver takes as little as
// it can of the processor that it shares with what it measures.
type wire struct {
	conn net.Conn
	in   *bufio.Reader
	body []byte
}

func dialWire(host string) (*wire, error) {
	c, err := net.DialTimeout("tcp", host, 10*time.Second)
	if err != nil {
		return nil, err
	}
	return &wire{conn: c, in: bufio.NewReaderSize(c, 8<<10)}, nil
}

// do sends a request and returns status and body; the body is good until the
// next call.
func (w *wire) do(request []byte) (int, []byte, error) {
	if err := w.conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return 0, nil, err
	}
	if _, err := w.conn.Write(request); err != nil {
		return 0, nil, err
	}
	line, err := w.in.ReadSlice('\n')
	if err != nil {
		return 0, nil, err
	}
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return 0, nil, errors.New("no HTTP/1.1 answer")
	}
	status, err := strconv.Atoi(string(line[9:12]))
	if err != nil {
		return 0, nil, errors.New("no HTTP status")
	}
	length := 0
	for {
		if line, err = w.in.ReadSlice('\n'); err != nil {
			return 0, nil, err
		}
		if len(line) <= 2 {
			break
		}
		if v, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(v))); err != nil || length > 1<<20 {
				return 0, nil, errors.New("no usable length")
			}
		}
	}
	if cap(w.body) < length {
		w.body = make([]byte, length)
	}
	_, err = io.ReadFull(w.in, w.body[:length])
	return status, w.body[:length], err
}

// request writes a request of the API as bytes. head are whole header lines.
func (s *server) request(method, path string, body []byte, head ...string) []byte {
	u, err := url.Parse(s.api)
	if err != nil {
		return nil
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s%s HTTP/1.1\r\nHost: %s\r\n", method, u.Path, path, u.Host)
	for _, h := range head {
		b.WriteString(h + "\r\n")
	}
	if method != "GET" {
		fmt.Fprintf(&b, "Content-Type: application/json\r\nContent-Length: %d\r\n", len(body))
	}
	b.WriteString("\r\n")
	b.Write(body)
	return b.Bytes()
}

// host is the address that clients connect to.
func (s *server) host() string {
	h := strings.TrimPrefix(s.api, "http://")
	h, _, _ = strings.Cut(h, "/")
	return h
}

// field is the text of a JSON field that is a plain string.
func field(body []byte, name string) (string, error) {
	_, rest, ok := bytes.Cut(body, []byte(`"`+name+`":"`))
	text, _, closed := bytes.Cut(rest, []byte(`"`))
	if !ok || !closed {
		return "", fmt.Errorf("an answer without %s", name)
	}
	return string(text), nil
}
