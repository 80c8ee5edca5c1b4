// A service on Go's net/http: each request makes three calls, one after another, and answers.
//
// PORT and DEPENDENCY (host:port) come from the environment. Each call carries the request's id in its path: that is for the measurement.
package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path"
)

func main() {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	http.HandleFunc("/", func(response http.ResponseWriter, request *http.Request) {
		id := path.Base(request.URL.Path)
		for step := 1; step <= 3; step++ {
			answer, err := client.Get(fmt.Sprintf("http://%s/step/%s/%d", os.Getenv("DEPENDENCY"), id, step))
			if err != nil {
				http.Error(response, err.Error(), http.StatusBadGateway)
				return
			}
			io.Copy(io.Discard, answer.Body)
			answer.Body.Close()
		}
		io.WriteString(response, "done")
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil))
}
