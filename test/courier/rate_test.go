package courier

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"tikakosh/test/harness"
)

// processor is the processor time that a process has used, in seconds.
func processor(b *testing.B, pid int) float64 {
	b.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	f := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
	user, err1 := strconv.ParseFloat(f[11], 64)
	system, err2 := strconv.ParseFloat(f[12], 64)
	if err1 != nil || err2 != nil {
		b.Fatal(err1, err2)
	}
	return (user + system) / 100 // clock ticks are 10 ms on Linux
}

// BenchmarkCodesEndToEnd measures codes from a client's request over HTTP to the
// answer, which comes when the gateway in this process has taken the code: web,
// vault with its ledger and database, courier, SMPP. Client and gateway use the
// same processors. It also tells each role's processor time for a code.
func BenchmarkCodesEndToEnd(b *testing.B) {
	g := harness.NewSMSC(b)
	s := harness.StartOver(b, &builder, harness.Options{Args: []string{"--no-limits"}}, harness.RoutesFile(b, b.TempDir(), nil, g), g)
	roles := []string{harness.RoleWeb, harness.RoleVault, harness.RoleCourier}
	before := map[string]float64{}
	for _, role := range roles {
		before[role] = processor(b, s.Role(role))
	}
	self := processor(b, os.Getpid())
	mobiles := make(chan string, 256)
	var wg sync.WaitGroup
	b.ResetTimer()
	for range 256 {
		wg.Go(func() {
			c := s.Client()
			for mobile := range mobiles {
				if txn, a := c.AskCode(mobile); txn == "" || a.Field("delivery") != "" {
					b.Error(a.Text())
				}
			}
		})
	}
	begin := time.Now()
	for i := range b.N {
		mobiles <- fmt.Sprintf("5%09d", i)
	}
	close(mobiles)
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/time.Since(begin).Seconds(), "codes/s")
	for _, role := range roles {
		b.ReportMetric((processor(b, s.Role(role))-before[role])*1e6/float64(b.N), "µs-"+role+"/code")
	}
	b.ReportMetric((processor(b, os.Getpid())-self)*1e6/float64(b.N), "µs-driver/code")
	b.ReportMetric(0, "ns/op")
	if g.Submits("5000000000") != 1 {
		b.Error("the gateway did not get the first code once")
	}
}
