// Shows the service's own document. No validator: that would send the document's address to another host.
SwaggerUIBundle({ url: "/openapi.json", dom_id: "#api", validatorUrl: null, deepLinking: true });
