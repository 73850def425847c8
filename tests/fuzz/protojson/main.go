// Reads lines of a message's full name and a JSON text in base64, and answers each by a line of
// JSON: what protojson made of it as LiveKit's server calls it, in binary and written again, or
// nulls when it refused.
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	_ "google.golang.org/protobuf/types/known/timestamppb"
)

type verdict struct {
	Binary *string `json:"binary"`
	JSON   *string `json:"json"`
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func judge(descriptor protoreflect.MessageDescriptor, text []byte) verdict {
	message := dynamicpb.NewMessage(descriptor)
	reader := protojson.UnmarshalOptions{DiscardUnknown: true, AllowPartial: true}
	if reader.Unmarshal(text, message) != nil {
		return verdict{}
	}
	binary := hex.EncodeToString(must(proto.MarshalOptions{Deterministic: true}.Marshal(message)))
	written, err := protojson.MarshalOptions{AllowPartial: true}.Marshal(message)
	if err != nil {
		return verdict{Binary: &binary}
	}
	again := string(written)
	return verdict{Binary: &binary, JSON: &again}
}

func main() {
	var schema descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal(must(os.ReadFile(os.Args[1])), &schema); err != nil {
		panic(err)
	}
	files := must(protodesc.NewFiles(&schema))
	questions := bufio.NewScanner(os.Stdin)
	questions.Buffer(nil, 1<<24)
	answers := json.NewEncoder(os.Stdout)
	for questions.Scan() {
		name, encoded, _ := strings.Cut(questions.Text(), " ")
		found := must(files.FindDescriptorByName(protoreflect.FullName(name)))
		text := must(base64.StdEncoding.DecodeString(encoded))
		if err := answers.Encode(judge(found.(protoreflect.MessageDescriptor), text)); err != nil {
			panic(err)
		}
	}
}
