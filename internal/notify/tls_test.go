package notify

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"
)

// authority is a CA made for one test, and a server's certificate of it.
type authority struct {
	pem    string
	server *tls.Config
}

// newAuthority makes a CA and a certificate for the names and 127.0.0.1.
func newAuthority(t testing.TB, names ...string) authority {
	t.Helper()
	key := func() *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	from, until := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	caKey, leafKey := key(), key()
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"}, NotBefore: from, NotAfter: until,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	caRaw, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "gateway"}, NotBefore: from, NotAfter: until,
		DNSNames: names, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	if len(names) == 0 {
		leaf.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	leafRaw, err := x509.CreateCertificate(rand.Reader, leaf, ca, leafKey.Public(), caKey)
	if err != nil {
		t.Fatal(err)
	}
	return authority{
		pem:    string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caRaw})),
		server: &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{{Certificate: [][]byte{leafRaw}, PrivateKey: leafKey}}},
	}
}

// TestSMPPTLS: over TLS a message goes to the gateway whose certificate the
// route's CA signed for its name. Another CA, another name, a gateway that speaks
// plain and one that wants TLS from a plain route get neither message nor
// password.
func TestSMPPTLS(t *testing.T) {
	right, wrong, named := newAuthority(t), newAuthority(t), newAuthority(t, "smpp.example")
	for _, c := range []struct {
		name   string
		server *tls.Config
		change func(*Route)
		fine   bool
		why    string
	}{
		{"right CA", right.server, func(r *Route) { r.CA = right.pem }, true, ""},
		{"right CA and name", named.server, func(r *Route) { r.CA, r.ServerName = named.pem, "smpp.example" }, true, ""},
		{"wrong CA", right.server, func(r *Route) { r.CA = wrong.pem }, false, "certificate"},
		{"the system's CAs", right.server, func(*Route) {}, false, "certificate"},
		{"wrong name", named.server, func(r *Route) { r.CA = named.pem }, false, "certificate"},
		{"plain gateway", nil, func(r *Route) { r.CA = right.pem }, false, "cannot be reached"},
		{"plain route", right.server, func(r *Route) { r.TLS = false }, false, "did not answer the bind"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := listenSMSC(t, c.server)
			route := s.route("a")
			route.TLS = true
			c.change(&route)
			r := router(t, route)
			err := r.Send(within(t, map[bool]time.Duration{true: 5 * time.Second, false: 300 * time.Millisecond}[c.fine]),
				Message{ID: "x", To: "0000000001", Channel: ChannelSMS, Text: "123456", Once: true})
			if (err == nil) != c.fine || (s.count() == 1) != c.fine || s.bound() != c.fine {
				t.Errorf("%v, %d submits", err, s.count())
			}
			err = r.Check(within(t, 8*time.Second))["a"]
			if (err == nil) != c.fine || err != nil && !strings.Contains(err.Error(), c.why) {
				t.Errorf("check: %v", err)
			}
		})
	}
	if _, err := NewRouter(Routes{Routes: []Route{{Name: "a", Address: "h:1", TLS: true, CA: "no certificate"}}}, now, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a CA file without a certificate is taken")
	}
}
