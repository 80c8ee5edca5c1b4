// A suite of `go test` that counts hits in a store.
package hits

import (
	"bufio"
	"net"
	"os"
	"testing"
)

func TestHits(t *testing.T) {
	store, err := net.Dial("tcp", os.Getenv("DEPENDENCY"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	store.Write([]byte("*2\r\n$4\r\nINCR\r\n$4\r\nhits\r\n"))
	reply, err := bufio.NewReader(store).ReadString('\n')
	if err != nil || reply != ":7\r\n" {
		t.Fatal(reply, err)
	}
}
