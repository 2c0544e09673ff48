// The answers to GET /v1/models.

struct ModelList: Encodable, Sendable {
    var object = "list"
    var data: [ModelDescription]
}

struct ModelDescription: Encodable, Sendable {
    var id: String
    var object = "model"
    var created: Int
    var ownedBy = "ring"
    /// The longest prompt and answer together, in tokens, as vLLM names it.
    var maxModelLen: Int
}
