// The tokenizer's files in a model directory.

import FoundationEssentials
import Glibc

/// Reads the files of a model directory that concern text, each within its limit.
struct TokenizerDirectory {
    static let tokenizerName = "tokenizer.json"
    static let configurationName = "tokenizer_config.json"
    static let chatTemplateName = "chat_template.jinja"

    let path: String

    /// - Throws: `TokenizerError` when it is missing or cannot be read.
    func tokenizer() throws -> (path: String, bytes: [UInt8]) {
        guard let file = try read(Self.tokenizerName, bytesMax: TokenizerLimits.tokenizerFileBytesMax) else {
            throw TokenizerError(
                file: filePath(Self.tokenizerName), field: nil,
                problem: "no such file; a model directory needs it for text")
        }
        return file
    }

    /// The configuration, nil where there is none.
    func configuration() throws -> (path: String, bytes: [UInt8])? {
        try read(Self.configurationName, bytesMax: TokenizerLimits.configurationFileBytesMax)
    }

    /// The chat template in a file of its own, nil where there is none.
    func chatTemplate() throws -> String? {
        guard let file = try read(Self.chatTemplateName, bytesMax: TokenizerLimits.chatTemplateFileBytesMax) else {
            return nil
        }
        guard let template = String(validating: file.bytes, as: UTF8.self) else {
            throw TokenizerError(file: file.path, field: nil, problem: "is not UTF-8")
        }
        return template
    }

    private func filePath(_ name: String) -> String {
        path.hasSuffix("/") ? path + name : "\(path)/\(name)"
    }

    private func read(_ name: String, bytesMax: Int) throws -> (path: String, bytes: [UInt8])? {
        let path = filePath(name)
        func error(_ problem: String) -> TokenizerError {
            TokenizerError(file: path, field: nil, problem: problem)
        }
        // Follows links, of which hub caches are full.
        var status = stat()
        guard stat(path, &status) == 0 else {
            guard errno == ENOENT else { throw error("cannot be read: \(String(cString: strerror(errno)))") }
            return nil
        }
        guard status.st_mode & S_IFMT == S_IFREG else { throw error("is not a file") }
        guard status.st_size <= bytesMax else {
            throw error("has \(status.st_size) bytes; the largest supported has \(bytesMax)")
        }
        do {
            return (path, Array(try Data(contentsOf: URL(filePath: path))))
        } catch let cause {
            throw error("cannot be read: \(cause)")
        }
    }
}
