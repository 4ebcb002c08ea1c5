// Package backup is the form of a backup set: one file that holds encrypted
// copies of the databases, named, hashed and listed in a manifest that the vault
// signed. It knows neither SQL nor what the copies hold.
//
// A set is a header line and frames. A frame is one byte that says what it is, a
// length of four bytes (big endian) and that many bytes: P begins a part and
// holds its name, D holds bytes of it, E ends it, M holds the signed manifest and
// is the last. The manifest has the SHA-256 of every byte before it, so that no
// byte of a set can be changed, left out or added unseen.
package backup

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"regexp"

	"tikakosh/internal/fault"
)

const magic = "tikakosh backup 1\n"

// Bounds of what a reader believes.
const (
	maxFrame    = 1 << 20
	maxManifest = 64 << 10
	maxParts    = 16
	writeFrame  = 64 << 10 // what a writer puts into one frame
)

const (
	frameBegin    = 'P'
	frameData     = 'D'
	frameEnd      = 'E'
	frameManifest = 'M'
)

var partName = regexp.MustCompile(`^[a-z][a-z0-9.-]{0,31}$`)

// Part is one encrypted copy in a set as the manifest lists it. Schema is the
// newest migration of the copied database.
type Part struct {
	Name   string `json:"name"`
	Schema int64  `json:"schema"`
	Size   int64  `json:"size"`   // bytes, encrypted
	SHA256 string `json:"sha256"` // of those bytes, hex
}

// Writer writes a set as a stream.
type Writer struct {
	w     *bufio.Writer
	sum   hash.Hash
	n     int64
	parts []Part
	open  bool
	err   error
}

// NewWriter begins a set.
func NewWriter(w io.Writer) *Writer {
	s := &Writer{w: bufio.NewWriterSize(w, 2*writeFrame), sum: sha256.New()}
	s.write([]byte(magic))
	return s
}

func (s *Writer) write(b []byte) {
	if s.err != nil {
		return
	}
	if _, err := s.w.Write(b); err != nil {
		s.err = fault.Wrap(fault.Unavailable, err, "the backup cannot be written")
		return
	}
	s.sum.Write(b)
	s.n += int64(len(b))
}

func (s *Writer) frame(kind byte, b []byte) {
	head := [5]byte{kind}
	binary.BigEndian.PutUint32(head[1:], uint32(len(b)))
	s.write(head[:])
	s.write(b)
}

// Part begins a part. Close ends it; the next may begin then.
func (s *Writer) Part(name string, schema int64) (io.WriteCloser, error) {
	if s.open || !partName.MatchString(name) || len(s.parts) == maxParts {
		return nil, fault.New(fault.Internal, "set", "a part of a backup cannot begin")
	}
	s.open = true
	s.frame(frameBegin, []byte(name))
	s.parts = append(s.parts, Part{Name: name, Schema: schema})
	return &partWriter{s: s, sum: sha256.New(), buf: make([]byte, 0, writeFrame)}, s.err
}

type partWriter struct {
	s   *Writer
	sum hash.Hash
	n   int64
	buf []byte
}

// Write implements io.Writer.
func (p *partWriter) Write(b []byte) (int, error) {
	total := len(b)
	p.sum.Write(b)
	p.n += int64(total)
	for len(b) > 0 {
		k := min(len(b), cap(p.buf)-len(p.buf))
		p.buf, b = append(p.buf, b[:k]...), b[k:]
		if len(p.buf) == cap(p.buf) {
			p.flush()
		}
	}
	return total, p.s.err
}

func (p *partWriter) flush() {
	if len(p.buf) > 0 {
		p.s.frame(frameData, p.buf)
		p.buf = p.buf[:0]
	}
}

// Close ends the part.
func (p *partWriter) Close() error {
	p.flush()
	p.s.frame(frameEnd, nil)
	p.s.open = false
	last := &p.s.parts[len(p.s.parts)-1]
	last.Size, last.SHA256 = p.n, hex.EncodeToString(p.sum.Sum(nil))
	return p.s.err
}

// Body is what the manifest says of the bytes before it.
func (s *Writer) Body() Body {
	return Body{Parts: s.parts, Size: s.n, SHA256: hex.EncodeToString(s.sum.Sum(nil))}
}

// Finish writes the signed manifest and flushes. The file is the caller's to sync.
func (s *Writer) Finish(manifest []byte) error {
	if s.open || len(manifest) > maxManifest {
		return fault.New(fault.Internal, "set", "a backup cannot end here")
	}
	s.frame(frameManifest, manifest)
	if s.err == nil {
		s.err = fault.Wrap(fault.Unavailable, s.w.Flush(), "the backup cannot be written")
	}
	return s.err
}

// Body describes all bytes of a set before its manifest.
type Body struct {
	Parts  []Part `json:"parts"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

func malformed(what string) error {
	return fault.New(fault.Integrity, "set", "this is no whole backup set: "+what)
}

func cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return malformed("it is cut off")
	}
	return fault.Wrap(fault.Unavailable, err, "the backup cannot be read")
}

// scanner walks the frames of a set.
type scanner struct {
	r   io.Reader
	sum hash.Hash
	n   int64
	buf []byte
}

func scan(r io.Reader) (*scanner, error) {
	s := &scanner{r: bufio.NewReaderSize(r, 256<<10), sum: sha256.New()}
	b := make([]byte, len(magic))
	if _, err := io.ReadFull(s.r, b); err != nil {
		return nil, cut(err)
	}
	if string(b) != magic {
		return nil, malformed("another form, or a newer one")
	}
	s.sum.Write(b)
	s.n = int64(len(b))
	return s, nil
}

// next reads a frame. The bytes are good until the next call.
func (s *scanner) next() (kind byte, b []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(s.r, head[:]); err != nil {
		return 0, nil, cut(err)
	}
	n := binary.BigEndian.Uint32(head[1:])
	if n > maxFrame || (head[0] == frameManifest && n > maxManifest) {
		return 0, nil, malformed("a length is out of bounds")
	}
	if int(n) > cap(s.buf) {
		s.buf = make([]byte, n)
	}
	b = s.buf[:n]
	if _, err := io.ReadFull(s.r, b); err != nil {
		return 0, nil, cut(err)
	}
	if head[0] != frameManifest {
		s.sum.Write(head[:])
		s.sum.Write(b)
		s.n += int64(len(head)) + int64(n)
	}
	return head[0], b, nil
}

// Inspect reads a whole set and returns what is in it and its manifest as it
// stands there, unverified. Errors: fault.Integrity for what is no set,
// fault.Unavailable for what cannot be read.
func Inspect(r io.Reader) (Body, []byte, error) {
	s, err := scan(r)
	if err != nil {
		return Body{}, nil, err
	}
	var b Body
	var sum hash.Hash
	for {
		kind, data, err := s.next()
		if err != nil {
			return b, nil, err
		}
		inside := sum != nil
		switch {
		case kind == frameBegin && !inside && len(b.Parts) < maxParts && partName.Match(data):
			b.Parts = append(b.Parts, Part{Name: string(data)})
			sum = sha256.New()
		case kind == frameData && inside:
			sum.Write(data)
			b.Parts[len(b.Parts)-1].Size += int64(len(data))
		case kind == frameEnd && inside && len(data) == 0:
			b.Parts[len(b.Parts)-1].SHA256 = hex.EncodeToString(sum.Sum(nil))
			sum = nil
		case kind == frameManifest && !inside:
			manifest := append([]byte(nil), data...)
			if _, err := io.ReadFull(s.r, make([]byte, 1)); !errors.Is(err, io.EOF) {
				return b, nil, malformed("something follows its end")
			}
			b.Size, b.SHA256 = s.n, hex.EncodeToString(s.sum.Sum(nil))
			return b, manifest, nil
		default:
			return b, nil, malformed("its parts are not in order")
		}
	}
}

// OpenPart returns the bytes of a part of a set that Inspect has read before.
// They are compared with what the manifest says when they have been read to the
// end: fault.Integrity when the file changed meanwhile.
func OpenPart(r io.Reader, want Part) (io.Reader, error) {
	s, err := scan(r)
	if err != nil {
		return nil, err
	}
	for {
		kind, data, err := s.next()
		if err != nil {
			return nil, err
		}
		if kind == frameManifest {
			return nil, malformed("part " + want.Name + " is missing")
		}
		if kind == frameBegin && string(data) == want.Name {
			return &partReader{s: s, want: want, sum: sha256.New()}, nil
		}
	}
}

type partReader struct {
	s    *scanner
	want Part
	sum  hash.Hash
	rest []byte
	err  error
}

// Read implements io.Reader.
func (p *partReader) Read(b []byte) (int, error) {
	for len(p.rest) == 0 && p.err == nil {
		kind, data, err := p.s.next()
		switch {
		case err != nil:
			p.err = err
		case kind == frameData:
			p.sum.Write(data)
			p.rest = data
		case kind == frameEnd && hex.EncodeToString(p.sum.Sum(nil)) == p.want.SHA256:
			p.err = io.EOF
		default:
			p.err = malformed("part " + p.want.Name + " is not the one of the manifest")
		}
	}
	if len(p.rest) == 0 {
		return 0, p.err
	}
	n := copy(b, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}
