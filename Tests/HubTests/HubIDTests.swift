// What is an id, what is a path, and what is neither.

import Glibc
import Testing

@testable import Hub

@Suite struct HubIDTests {
    @Test(arguments: [
        ("Qwen/Qwen3-4B", "Qwen/Qwen3-4B", "main"), ("a/b", "a/b", "main"), ("a_b.c/D-e_1.5", "a_b.c/D-e_1.5", "main"),
        ("org/name@v1.0", "org/name", "v1.0"), ("org/name@refs/pr/3", "org/name", "refs/pr/3"),
    ])
    func readsIDs(text: String, repository: String, revision: String) {
        #expect(HubID(text)?.repository == repository)
        #expect(HubID(text)?.revision == revision)
    }

    /// The first nine are huggingface_hub's own examples of what it refuses, or follow from its rules.
    @Test(arguments: [
        "datasets/foo/bar", "org/.repo", "org/foo--bar", "org/foo.git", "org/a..b", "org/-a", "org/a.", "-org/a",
        "caf\u{E9}/a",
        "name", "", "/", "org/", "/name", "org/name@", "org/name@/x", "org/name@../x", "org/name@a//b", "org/na me",
        "org/name@a b", "org/name@.x", "org/\(String(repeating: "a", count: 97))",
    ])
    func refusesOthers(text: String) {
        #expect(HubID(text) == nil)
    }

    @Test func aPathThatExistsIsAPath() throws {
        let directory = try TemporaryDirectory()
        #expect(try ModelReference(parsing: directory.path) == .path(directory.path))
        #expect(try ModelReference(parsing: "/") == .path("/"))
        #expect(try ModelReference(parsing: "org/name") == .hub(try #require(HubID("org/name"))))
        for text in ["./org/name", "/org/name", "~/name", "org/name/", "absent", "a/b/c"] {
            let error = #expect(throws: HubError.self) { try ModelReference(parsing: text) }
            #expect(error?.description.contains(text) == true && error?.kind == .reference)
        }
    }
}
