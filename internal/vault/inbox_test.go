package vault

import (
	"bytes"
	"testing"

	"tikakosh/internal/id"
)

// TestInbox: an item opens with the vault's key, for its event and realm alone.
func TestInbox(t *testing.T) {
	key, err := InboxKeyPair(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	again, err := InboxKeyPair(bytes.Repeat([]byte{7}, 32))
	if err != nil || !bytes.Equal(key.PublicKey().Bytes(), again.PublicKey().Bytes()) {
		t.Fatal("the same secret makes another key")
	}
	event := InboxEvent("proof")
	if !id.Valid(string(event)) || event != InboxEvent("proof") || event == InboxEvent("other") {
		t.Errorf("event %q", event)
	}
	item := InboxItem{Signed: Signed{Method: "POST", URL: "https://x", Body: []byte(`{"a":1}`), Proof: "proof"}, Received: 5}
	sealed, err := SealInbox(key.PublicKey().Bytes(), 1, event, item)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, item.Signed.Body) {
		t.Error("the body is to be read in the sealed item")
	}
	got, err := OpenInbox(key, 1, event, sealed)
	if err != nil || got.Received != 5 || string(got.Signed.Body) != `{"a":1}` {
		t.Fatalf("%+v %v", got, err)
	}
	stranger, err := InboxKeyPair(bytes.Repeat([]byte{8}, 32))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenInbox(stranger, 1, event, sealed); err == nil {
		t.Error("it opens with another key")
	}
	if _, err := OpenInbox(key, 2, event, sealed); err == nil {
		t.Error("it opens in another realm")
	}
	if _, err := OpenInbox(key, 1, InboxEvent("other"), sealed); err == nil {
		t.Error("it opens for another event")
	}
}

func FuzzOpenInbox(f *testing.F) {
	key, err := InboxKeyPair(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		f.Fatal(err)
	}
	event := InboxEvent("proof")
	sealed, err := SealInbox(key.PublicKey().Bytes(), 1, event, InboxItem{})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed)
	f.Add([]byte("x"))
	f.Fuzz(func(t *testing.T, in []byte) {
		// Fuzzing runs in several processes, and each sealed the item anew.
		if item, err := OpenInbox(key, 1, event, in); err == nil && (item.Received != 0 || item.Signed.Method != "" || item.Signed.Proof != "" || len(item.Signed.Body) != 0) {
			t.Errorf("something that was not sealed opens: %+v", item)
		}
	})
}
