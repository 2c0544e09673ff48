// Checksums, listings, addresses and settings, beside what other tools make of them.

import Glibc
import Testing

@testable import Hub

@Suite struct DigestTests {
    /// Computed by sha256sum and git hash-object.
    @Test(arguments: [
        (
            "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
        ),
        (
            "hello\n", "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03",
            "ce013625030ba8dba906f756967f9e9ca394464a"
        ),
    ])
    func agreesWithOtherTools(text: String, sha256: String, git: String) throws {
        let directory = try TemporaryDirectory()
        let path = "\(directory.path)/file"
        try SmallFile.write(Array(text.utf8), to: path)
        let descriptor = open(path, O_RDONLY)
        defer { close(descriptor) }
        for (expected, size) in [(sha256, text.utf8.count), (git, text.utf8.count)] {
            let digest = try #require(Digest(expected))
            #expect(try digest.ofFile(descriptor, byteCount: UInt64(size), isInterrupted: { false }) == expected)
        }
    }

    @Test(arguments: [
        "", "abc", String(repeating: "g", count: 40), String(repeating: "A", count: 64), "../../../../etc",
    ])
    func refusesWhatIsNoDigest(text: String) { #expect(Digest(text) == nil) }
}

@Suite struct HubListingTests {
    /// As huggingface_hub 2.4 writes it.
    private static let stored = """
        {"format_version": 1, "files": {
         "config.json": {"size": 519, "blob_id": "\(String(repeating: "1", count: 40))"},
         "model.safetensors": {"size": 1234, "blob_id": "\(String(repeating: "2", count: 40))",
          "lfs_sha256": "\(String(repeating: "3", count: 64))", "lfs_size": 1234, "xet_hash": "\(String(repeating: "4", count: 64))"}}}
        """

    @Test func readsAndWritesHuggingFacesForm() throws {
        let listing = try #require(HubListing(stored: Array(Self.stored.utf8)))
        #expect(listing["config.json"]?.digest == String(repeating: "1", count: 40))
        #expect(
            listing["model.safetensors"]
                == HubFile(
                    name: "model.safetensors", size: 1234, digest: String(repeating: "3", count: 64)))
        let written = try listing.stored()
        #expect(HubListing(stored: written)?.files == listing.files)
        let text = String(decoding: written, as: UTF8.self)
        for member in ["\"format_version\":1", "\"lfs_size\":1234", "\"xet_hash\":\"4444"] {
            #expect(text.contains(member))
        }
        // Python reads a null as something that is there.
        #expect(!text.contains("null"))
    }

    @Test(arguments: [
        ("\"format_version\": 1", "\"format_version\": 2"), ("config.json", "../config.json"),
        ("config.json", "/config.json"),
        ("config.json", "a//b"), ("config.json", ""), ("1111", "../1"), ("519", "-519"), ("1234", "99999999999999"),
        ("{", "["),
    ])
    func refusesOthers(old: String, new: String) {
        #expect(HubListing(stored: Array(Self.stored.replacing(old, with: new).utf8)) == nil)
    }

    @Test func findsTheNextPage() {
        #expect(HubListing.nextLink("<https://x/y?cursor=2>; rel=\"next\"") == "https://x/y?cursor=2")
        #expect(HubListing.nextLink("<https://x/1>; rel=\"prev\", <https://x/3>; rel=\"next\"") == "https://x/3")
        #expect(HubListing.nextLink("<https://x/1>; rel=\"prev\"") == nil)
        #expect(HubListing.nextLink("rel=\"next\"") == nil)
    }
}

@Suite struct WebAddressTests {
    @Test func followsRedirectsAsBrowsersDo() throws {
        let base = try #require(WebAddress("https://hub.example/org/name/resolve/main/f?x=1"))
        #expect(WebAddress("/api/y", relativeTo: base)?.description == "https://hub.example/api/y")
        #expect(WebAddress("//other.example/z", relativeTo: base)?.origin == "https://other.example:443")
        #expect(WebAddress("http://a.example/", relativeTo: base)?.isEncrypted == false)
        for text in ["ftp://a.example/", "file:///etc/passwd", "javascript:x"] {
            #expect(WebAddress(text, relativeTo: base) == nil)
        }
    }

    /// Whom a token may be shown to.
    @Test func tellsOriginsApart() throws {
        var settings = try HubSettings(environment: ["HOME": "/home/x", "HF_ENDPOINT": "https://Hub.example/"])
        settings.token = "secret"
        for same in ["https://hub.example/a", "https://hub.example:443/b", "https://HUB.example"] {
            #expect(settings.trusts(try #require(WebAddress(same))))
        }
        for other in [
            "http://hub.example/", "https://hub.example:8443/", "https://cdn.hub.example/", "https://hub.example.evil/",
        ] {
            #expect(!settings.trusts(try #require(WebAddress(other))))
        }
    }

    @Test func writesNamesIntoAddresses() {
        #expect("a b/ü#?%.x".percentEncoded(keeping: "/") == "a%20b/%C3%BC%23%3F%25.x")
        #expect("refs/pr/1".percentEncoded() == "refs%2Fpr%2F1")
    }
}

@Suite struct HubSettingsTests {
    /// As huggingface_hub's constants come out in the same environment.
    @Test(arguments: [
        (["HOME": "/h"], "/h/.cache/huggingface/hub"),
        (["HOME": "/h", "XDG_CACHE_HOME": "/x"], "/x/huggingface/hub"),
        (["HOME": "/h", "HF_HOME": "~/models"], "/h/models/hub"),
        (["HOME": "/h", "HF_HOME": "/m", "HF_HUB_CACHE": "/c"], "/c"),
        (["HOME": "/h", "HUGGINGFACE_HUB_CACHE": "/old"], "/old"),
    ])
    func findsTheCache(environment: [String: String], cache: String) throws {
        #expect(try HubSettings(environment: environment).cache == cache)
    }

    @Test func readsTheRest() throws {
        let standard = try HubSettings(environment: ["HOME": "/h"])
        #expect(standard.endpoint == "https://huggingface.co" && standard.token == nil && !standard.isOffline)
        let directory = try TemporaryDirectory()
        try SmallFile.write(Array("hf_file\n".utf8), to: "\(directory.path)/token")
        let environment = ["HF_HOME": directory.path, "HF_HUB_OFFLINE": "yes", "HF_ENDPOINT": "http://mirror/"]
        let settings = try HubSettings(environment: environment)
        #expect(settings.token == "hf_file" && settings.tokenPlace == "\(directory.path)/token" && settings.isOffline)
        #expect(settings.endpoint == "http://mirror")
        #expect(try HubSettings(environment: environment.merging(["HF_TOKEN": "hf_env"]) { $1 }).token == "hf_env")
    }

    @Test(arguments: [
        ["HF_ENDPOINT": "huggingface.co"], ["HF_TOKEN": "a\u{1}b"], ["HF_HUB_DOWNLOAD_TIMEOUT": "0"],
        ["HF_HUB_DOWNLOAD_TIMEOUT": "soon"],
    ])
    func refusesWhatCannotBe(environment: [String: String]) {
        let error = #expect(throws: HubError.self) {
            try HubSettings(environment: environment.merging(["HOME": "/h"]) { $1 })
        }
        #expect(error?.description.contains(environment.keys.first ?? "?") == true)
    }
}
