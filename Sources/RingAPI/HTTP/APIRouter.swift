// The routes of the API.

import Hummingbird
import Logging

enum APIRouter {
    /// - Parameter fingerprint: of the model, in hexadecimal.
    static func responder(
        model: ServedModel, fingerprint: String, generator: any TokenGenerator
    ) -> RouterResponder<APIRequestContext> {
        let service = GenerationService(model: model, generator: generator)
        let chat = ChatCompletionRoute(service: service, fingerprint: fingerprint)
        let completion = CompletionRoute(service: service, fingerprint: fingerprint)
        let router = Router(context: APIRequestContext.self)
        router.add(middleware: ErrorShape())

        router.get("/health") { _, _ in
            let status = generator.status()
            return try JSONBody.response(
                HealthResponse(status, model: model.name),
                status: status.state == .ready ? .ok : .serviceUnavailable)
        }
        router.get("/v1/models") { _, _ in
            try JSONBody.response(ModelList(data: [description(of: model, generator)]))
        }
        router.get("/v1/models/{id}") { _, context in
            try model.check(requested: context.parameters.get("id"))
            return try JSONBody.response(description(of: model, generator))
        }
        router.post("/v1/chat/completions", use: chat.respond)
        router.post("/v1/completions", use: completion.respond)
        for path in ["/v1/chat/completions", "/v1/completions"] as [RouterPath] {
            router.get(path) { _, _ -> Response in throw wrongMethod("POST") }
        }
        return router.buildResponder()
    }

    private static func description(of model: ServedModel, _ generator: any TokenGenerator) -> ModelDescription {
        ModelDescription(id: model.name, created: model.created, maxModelLen: generator.contextTokensMax)
    }

    private static func wrongMethod(_ right: String) -> APIError {
        APIError(
            status: .methodNotAllowed, message: "this route takes \(right)", type: "invalid_request_error",
            code: "method_not_allowed")
    }
}

/// Gives every error OpenAI's shape.
private struct ErrorShape: RouterMiddleware {
    func handle(
        _ request: Request, context: APIRequestContext,
        next: (Request, APIRequestContext) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let error as CancellationError {
            context.logger.debug("the client of \(request.uri.path) went away")
            throw error
        } catch {
            let shown = APIError(wrapping: error)
            let level: Logger.Level = shown.status.kind == .serverError ? .warning : .debug
            context.logger.log(level: level, "\(request.method) \(request.uri.path): \(shown.status.code) \(error)")
            return try shown.response(from: request, context: context)
        }
    }
}
